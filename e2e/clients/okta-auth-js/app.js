const { issuer, api } = await (await fetch("/gateway.json")).json();

const authClient = new OktaAuth({
	issuer,
	clientId: "okta-auth-js",
	redirectUri: location.origin + location.pathname,
	scopes: ["openid", "email", "offline_access"],
	// It knows Okta's paths alone.
	authorizeUrl: `${issuer}authorize`,
	tokenUrl: `${issuer}oauth/token`,
	userinfoUrl: `${issuer}userinfo`,
	revokeUrl: `${issuer}oauth/revoke`,
	logoutUrl: `${issuer}oidc/logout`,
});
if (authClient.isLoginRedirect()) await authClient.handleRedirect();
await authClient.start();
if (await authClient.isAuthenticated()) document.querySelector("#user").textContent = (await authClient.getUser()).email;

const output = document.querySelector("output");
function on(id, act) {
	document.querySelector(id).onclick = async () => {
		delete output.dataset.ready;
		output.textContent = await act();
		output.dataset.ready = "";
	};
}

on("#login", () => authClient.signInWithRedirect());
on("#orders", async () => {
	const accessToken = await authClient.getAccessToken();
	return (await fetch(api, { headers: { Authorization: `Bearer ${accessToken}` } })).text();
});
on("#refresh", async () => {
	await authClient.tokenManager.renew("accessToken");
});
on("#logout", () => authClient.signOut({
	postLogoutRedirectUri: location.origin + location.pathname,
	revokeAccessToken: false, // its request has no colon in Basic (RFC 7617 §2), and is refused
	revokeRefreshToken: false,
}));
document.body.dataset.ready = "";
