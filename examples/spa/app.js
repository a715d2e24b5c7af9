import { InMemoryWebStorage, User, UserManager, WebStorageStateStore } from "oidc-client-ts";
import { API, CLIENT_ID, GATEWAY, IN_COOKIE, LEEWAY_SECONDS } from "./config.js";
import { forget, renew } from "./session.js";
import * as view from "./view.js";

const home = location.origin + "/";

const manager = new UserManager({
	authority: GATEWAY,
	client_id: CLIENT_ID,
	redirect_uri: home,
	post_logout_redirect_uri: home,
	scope: "openid profile offline_access orders:read",
	resource: API, // the access token is for this API
	automaticSilentRenew: false, // here a button does it, to watch it happen
	...(IN_COOKIE ? cookieSettings() : {}),
});

// cookieSettings makes the library take the cookie when it redeems the code.
// It would fetch the metadata with credentials, too, which that does not allow.
function cookieSettings() {
	return {
		fetchRequestCredentials: "include",
		metadata: {
			issuer: GATEWAY,
			authorization_endpoint: GATEWAY + "authorize",
			token_endpoint: GATEWAY + "oauth/token",
			end_session_endpoint: GATEWAY + "oidc/logout",
		},
		userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }), // gone with the page
	};
}

// resume signs in by the cookie, without the person noticing.
async function resume(parameters) {
	const tokens = await renew(parameters);
	if (!tokens) {
		await manager.removeUser();
		return null;
	}
	const part = tokens.id_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
	const text = new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0)));
	const user = new User({ ...tokens, profile: JSON.parse(text), expires_at: Math.floor(Date.now() / 1000) + tokens.expires_in });
	await manager.storeUser(user);
	return user;
}

// Every refresh token this login has had, the current one last.
let chain = [];
let rotatedAt = 0;
let ended = sessionStorage.getItem("ended") !== null; // the library keeps the dead tokens through a reload

// end notes that the gateway takes none of this login's tokens any more, or that another one has begun.
function end(yes) {
	ended = yes;
	if (yes) sessionStorage.setItem("ended", "");
	else sessionStorage.removeItem("ended");
}

// name stands for a refresh token on the page: eight digits of its SHA-256.
async function name(token) {
	const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
	return Array.from(hash.slice(0, 4), (b) => b.toString(16).padStart(2, "0")).join("");
}

async function remember(token) {
	if (!token || chain.at(-1)?.token === token) return;
	if (chain.length > 0) rotatedAt = Date.now();
	chain.push({ token, name: await name(token) });
}

// ask posts to the token endpoint by hand, for what no library would do.
async function ask(parameters) {
	const answer = await fetch(GATEWAY + "oauth/token", { method: "POST", body: new URLSearchParams(parameters) });
	const text = await answer.text();
	return { ok: answer.ok, status: answer.status, body: answer.headers.get("Content-Type")?.includes("json") ? JSON.parse(text) : { error_description: text } };
}

const actions = {
	async login() {
		await manager.signinRedirect();
	},

	async logout() {
		await manager.signoutRedirect({ state: "logout" });
	},

	async call() {
		const user = await manager.getUser();
		const answer = await fetch(API + "orders/42", { headers: { Authorization: `Bearer ${user.access_token}` } });
		if (answer.ok) {
			view.tell("good", "The API answered. The gateway checked the token and told it who is asking:", await answer.json());
			return;
		}
		const why = answer.headers.get("WWW-Authenticate")?.match(/error_description="([^"]*)"/)?.[1] ?? answer.statusText;
		view.tell("bad", `The gateway refused the access token (${answer.status}) and the API never saw the request: ${why}`);
	},

	async refresh() {
		if (IN_COOKIE) {
			const users = await Promise.all(Array.from({ length: 10 }, () => resume()));
			if (users.every(Boolean)) {
				view.tell("good", "Ten calls at once, ten access tokens: the browser sent its cookie with each, and at most one of them rotated it.");
			} else {
				view.tell("bad", "The gateway takes the cookie no more: this login is over.");
			}
			return;
		}
		const old = chain.at(-1).name;
		try {
			const user = await manager.signinSilent();
			await remember(user.refresh_token);
			view.tell("good", `Rotated: refresh token ${old} is spent and ${chain.at(-1).name} takes its place. A new access token came with it.`);
		} catch (error) {
			view.tell("bad", `The gateway refused refresh token ${old}: ${error.message} Log in again.`);
			if (error.error === "invalid_grant") end(true);
		}
	},

	async forget() {
		await forget();
		view.tell("good", `The refresh token has ended and its cookie is gone; so are the access tokens. Next: “Refresh”.`);
	},

	async replay() {
		const old = chain.at(-2);
		const current = chain.at(-1);
		const seconds = Math.round((Date.now() - rotatedAt) / 1000);
		const { ok, status, body } = await ask({
			grant_type: "refresh_token",
			client_id: CLIENT_ID,
			refresh_token: old.token,
		});
		if (!ok) {
			if (body.error === "invalid_grant") end(true);
			view.tell("bad", `Reuse: ${old.name} came again ${seconds} s after it was spent, so somebody has a copy. The gateway answered ${body.error ?? status}
				and ended the whole login: ${current.name} and the access tokens are dead too. Try “Call the API” and “Refresh”.`);
		} else if (body.refresh_token === current.token) {
			view.tell("fair", `Within the leeway: ${old.name} came again after ${seconds} s and was answered with the same successor, ${current.name}. So an app whose
				answer was lost, or a second tab, stays signed in. Wait until ${LEEWAY_SECONDS} s have passed and replay it once more.`);
		} else {
			view.tell("bad", `${old.name} was answered with a token of its own, ${await name(body.refresh_token)}. That should never happen.`);
		}
	},
};

async function show() {
	const user = await manager.getUser();
	if (!user) end(false);
	await remember(user?.refresh_token);
	const leeway = chain.length > 1 ? Math.ceil(LEEWAY_SECONDS - (Date.now() - rotatedAt) / 1000) : 0;
	view.show({ user, chain, ended, leeway, inCookie: IN_COOKIE });
}

async function start() {
	const parameters = new URLSearchParams(location.search);
	if (parameters.has("state") && (parameters.has("code") || parameters.has("error"))) {
		try {
			const user = await manager.signinCallback();
			end(false);
			await remember(user.refresh_token);
			view.tell("good", `Logged in. The gateway issued an access token for ${user.expires_in} s and ${
				IN_COOKIE ? "put the refresh token into a cookie: the answer to this page has none" : `refresh token ${chain.at(-1).name}`}.`);
		} catch (error) {
			view.tell("bad", `The login failed: ${error.message}`);
		}
		history.replaceState(null, "", home);
	} else if (parameters.has("state")) {
		await manager.signoutCallback();
		view.tell("good", "Logged out, here and at the gateway.");
		history.replaceState(null, "", home);
	} else if (IN_COOKIE && await resume()) {
		view.tell("good", "Still signed in: this page was loaded anew, knew nothing, and got an access token by the cookie.");
	}

	view.onChoose("mode", IN_COOKIE ? "cookie" : "script", async (mode) => {
		if (await manager.getUser() && IN_COOKIE) await forget();
		await manager.removeUser();
		localStorage.setItem("mode", mode);
		location.replace(home);
	});

	for (const [id, act] of Object.entries(actions)) {
		view.onPress(id, async () => {
			try {
				await act();
			} catch (error) {
				view.tell("bad", `That failed: ${error.message}`);
			}
			await show();
		});
	}
	await show();
	setInterval(show, 1000);
}

start();
