// An app with auth0-spa-js. The tests set window.settings before it loads and
// drive window.client.
import { Auth0Client } from "./node_modules/@auth0/auth0-spa-js/dist/auth0-spa-js.production.esm.js";

const { issuer, api, options } = window.settings;
const home = location.origin + location.pathname;

window.client = new Auth0Client({
	domain: issuer.replace(/\/$/, ""),
	clientId: "spa",
	authorizationParams: { audience: api, scope: "openid profile email orders:read", redirect_uri: home },
	...options,
});
window.home = home;

const answered = new URLSearchParams(location.search).has("state");
window.ready = answered ? window.client.handleRedirectCallback() : Promise.resolve();
await window.ready.finally(() => history.replaceState(null, "", home));
