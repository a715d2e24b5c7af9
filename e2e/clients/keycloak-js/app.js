import Keycloak from "keycloak-js";

const { issuer, api } = await (await fetch("/gateway.json")).json();

const keycloak = new Keycloak({ oidcProvider: issuer, clientId: "keycloak-js" });
await keycloak.init({
	onLoad: "check-sso",
	silentCheckSsoRedirectUri: `${location.origin}${location.pathname}silent-check-sso.html`,
	checkLoginIframe: false, // there is no session iframe
	scope: "email", // no offline_access: it takes only JWTs for refresh tokens
});
if (keycloak.authenticated) document.querySelector("#user").textContent = (await keycloak.loadUserInfo()).email;

const output = document.querySelector("output");
function on(id, act) {
	document.querySelector(id).onclick = async () => {
		delete output.dataset.ready;
		output.textContent = await act();
		output.dataset.ready = "";
	};
}

on("#login", () => keycloak.login());
on("#orders", async () => {
	return (await fetch(api, { headers: { Authorization: `Bearer ${keycloak.token}` } })).text();
});
on("#logout", () => keycloak.logout());
document.body.dataset.ready = "";
