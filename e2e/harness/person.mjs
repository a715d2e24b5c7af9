// A person without a browser: follows redirects, keeps cookies, fills in the login page.
import { alice } from "./gateway.mjs";

export class Person {
	#cookies = new Map();

	async #fetch(url, init = {}) {
		const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
		const answer = await fetch(url, { ...init, redirect: "manual", headers: { ...init.headers, ...(cookie && { cookie }) } });
		for (const line of answer.headers.getSetCookie()) {
			const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
			if (value === "" || /max-age=0/i.test(line)) this.#cookies.delete(name);
			else this.#cookies.set(name, value);
		}
		return answer;
	}

	// authorize goes from an authorization URL to the client's redirect URI,
	// through login and consent, and returns the URL it ends at.
	async authorize(url, redirectURI) {
		let answer = await this.#fetch(url);
		for (let hop = 0; hop < 10; hop++) {
			const to = answer.headers.get("Location");
			if (to) {
				const next = new URL(to, url);
				if (next.href.startsWith(redirectURI)) return next;
				url = next;
				answer = await this.#fetch(url);
				continue;
			}
			const page = await answer.text();
			if (!answer.ok) throw new Error(`${answer.status} at ${new URL(url).pathname}: ${page.match(/<h1>(.*?)<\/h1>/)?.[1]}`);
			[url, answer] = await this.#submit(page, url);
		}
		throw new Error("too many redirects");
	}

	async #submit(page, url) {
		const action = new URL(unescapeHTML(page.match(/<form[^>]* action="([^"]*)"/)[1]), url);
		const fields = new URLSearchParams();
		for (const [tag] of page.matchAll(/<input [^>]*type="hidden"[^>]*>/g)) {
			fields.set(tag.match(/name="([^"]*)"/)[1], unescapeHTML(tag.match(/value="([^"]*)"/)[1]));
		}
		if (page.includes('type="password"')) {
			fields.set("username", alice.username);
			fields.set("password", alice.password);
		}
		fields.set("action", page.includes('value="allow"') ? "allow" : "login");
		return [action, await this.#fetch(action, { method: "POST", body: fields, headers: { origin: action.origin } })];
	}
}

function unescapeHTML(text) {
	return text.replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(n)).replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
