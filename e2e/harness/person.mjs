// A person without a browser: follows redirects, keeps cookies, fills in the login page.
import { alice } from "./gateway.mjs";

export class Person {
	#cookies = new Map();

	// passwords counts how often the password was asked for.
	passwords = 0;

	async #fetch(url, init = {}) {
		const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
		const answer = await fetch(url, { ...init, redirect: "manual", headers: { ...init.headers, ...(cookie && { cookie }) } });
		for (const line of answer.headers.getSetCookie()) {
			const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
			if (value === "" || /max-age=0|expires=Thu, 01[ -]Jan[ -]1970/i.test(line)) this.#cookies.delete(name);
			else this.#cookies.set(name, value);
		}
		return answer;
	}

	// authorize goes from an authorization URL to the client's redirect URI,
	// through login and consent, and returns the URL it ends at.
	async authorize(url, redirectURI) {
		const { url: at } = await this.open(url, { stop: (next) => next.href.startsWith(redirectURI) });
		if (!at.href.startsWith(redirectURI)) throw new Error(`it ended at ${at}`);
		return at;
	}

	// open goes to a URL as a browser does, through redirects and the gateway's forms, and returns where it ends and the page there.
	// It does not load a page that stop is true of. With forms, it presses the button of a page that is not the gateway's too.
	async open(url, { stop = () => false, forms = false, ...init } = {}) {
		url = new URL(url);
		let answer = await this.#fetch(url, init);
		for (let hop = 0; hop < 20; hop++) {
			const to = answer.headers.get("Location");
			if (to) {
				url = new URL(to, url);
				if (stop(url)) return { url };
				answer = await this.#fetch(url);
				continue;
			}
			const text = await answer.text();
			const next = text.match(/<form[^>]* method="post"/i);
			if (!next || !(forms || text.includes('name="request"'))) return { url, status: answer.status, text };
			if (!answer.ok) throw new Error(`${answer.status} at ${url.pathname}: ${text.match(/<h1>(.*?)<\/h1>/)?.[1]}`);
			[url, answer] = await this.#submit(text, url);
		}
		throw new Error("too many redirects");
	}

	async #submit(page, url) {
		const action = new URL(unescapeHTML(page.match(/<form[^>]* action="([^"]*)"/)?.[1] ?? ""), url);
		const fields = new URLSearchParams();
		for (const [tag] of page.matchAll(/<input [^>]*type="hidden"[^>]*>/g)) {
			fields.set(tag.match(/name="([^"]*)"/)[1], unescapeHTML(tag.match(/value="([^"]*)"/)[1]));
		}
		if (page.includes('type="password"')) {
			this.passwords++;
			fields.set("username", alice.username);
			fields.set("password", alice.password);
		}
		const button = page.match(/<button[^>]* name="action" value="([^"]*)"/);
		if (button) fields.set("action", button[1]);
		return [action, await this.#fetch(action, { method: "POST", body: fields, headers: { origin: action.origin } })];
	}
}

function unescapeHTML(text) {
	return text.replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(n)).replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
