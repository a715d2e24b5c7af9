const { issuer, api } = await (await fetch("/gateway.json")).json();

const client = new msal.PublicClientApplication({
	auth: {
		clientId: "msal-browser",
		authority: issuer,
		knownAuthorities: [new URL(issuer).host],
		redirectUri: location.origin + location.pathname,
		postLogoutRedirectUri: location.origin + location.pathname,
	},
	system: { protocolMode: msal.ProtocolMode.OIDC },
});

await client.initialize();
const answer = await client.handleRedirectPromise();
if (answer) client.setActiveAccount(answer.account);
const account = client.getActiveAccount() ?? client.getAllAccounts()[0];
const scopes = ["email", "orders:read"];
if (account) document.querySelector("#user").textContent = account.idTokenClaims.email;

const output = document.querySelector("output");
function on(id, act) {
	document.querySelector(id).onclick = async () => {
		delete output.dataset.ready;
		output.textContent = await act();
		output.dataset.ready = "";
	};
}

on("#login", () => client.loginRedirect({ scopes }));
on("#orders", async () => {
	const { accessToken } = await client.acquireTokenSilent({ scopes, account });
	return (await fetch(api, { headers: { Authorization: `Bearer ${accessToken}` } })).text();
});
on("#refresh", async () => {
	await client.acquireTokenSilent({ scopes, account, forceRefresh: true });
});
on("#logout", () => client.logoutRedirect({ account, idTokenHint: account.idToken }));
document.body.dataset.ready = "";
