// An app with oidc-client-ts. The tests set window.settings before it loads and
// drive window.client.
import { UserManager, WebStorageStateStore } from "./node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js";

const { issuer, api, options } = window.settings;
const home = location.origin + location.pathname;
const answered = location.search.includes("state=");

window.client = new UserManager({
	authority: issuer,
	client_id: "spa",
	redirect_uri: home,
	silent_redirect_uri: home,
	popup_redirect_uri: home,
	post_logout_redirect_uri: home,
	scope: "openid profile email offline_access orders:read",
	resource: api,
	automaticSilentRenew: false,
	userStore: new WebStorageStateStore({ store: localStorage }),
	...options,
});

window.ready = answered ? window.client.signinCallback() : Promise.resolve();
await window.ready;
if (window === window.top && !window.opener) history.replaceState(null, "", home);
