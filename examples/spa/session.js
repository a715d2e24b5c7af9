import { CLIENT_ID, GATEWAY } from "./config.js";

// renew answers a fresh access token, or null when nobody is signed in. The
// refresh token is in a cookie that no script can read, shared by all tabs.
export async function renew(parameters = {}) {
	const answer = await post("oauth/refresh", parameters);
	if (answer.ok) return answer.json(); // {access_token, expires_in, scope, id_token}
	if (answer.status !== 400) throw new Error(`${answer.status}: still signed in, try again`);
	const { error, error_description: why } = await answer.json();
	if (error === "login_required" || error === "invalid_grant") return null;
	throw new Error(`${error}: ${why}`);
}

// forget ends the refresh token and takes the cookie away.
export const forget = () => post("oauth/revoke", {});

export const post = (path, parameters) => fetch(GATEWAY + path, {
	method: "POST",
	credentials: "include", // sends the cookie, and takes its successor
	body: new URLSearchParams({ client_id: CLIENT_ID, ...parameters }),
});
