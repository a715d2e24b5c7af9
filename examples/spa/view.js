// Everything that touches the page.

const $ = (id) => document.getElementById(id);

export function onPress(id, act) {
	$(id).addEventListener("click", async () => {
		$(id).setAttribute("aria-busy", "true");
		await act();
		$(id).removeAttribute("aria-busy");
	});
}

// onChoose selects one of the radio buttons of a name, and hears of another.
export function onChoose(name, chosen, act) {
	for (const choice of document.querySelectorAll(`input[name="${name}"]`)) {
		choice.checked = choice.value === chosen;
		choice.addEventListener("change", () => act(choice.value));
	}
}

// tell adds an entry to the log. The mood is good, fair or bad.
export function tell(mood, sentence, detail) {
	const entry = document.createElement("li");
	entry.className = mood;
	const time = document.createElement("time");
	time.textContent = new Date().toLocaleTimeString("en-GB");
	entry.append(time, " ", sentence);
	if (detail !== undefined) {
		const pre = document.createElement("pre");
		pre.textContent = JSON.stringify(detail, null, 2);
		entry.append(pre);
	}
	$("log").prepend(entry);
	$("quiet").hidden = true;
}

// show draws the page once a second. Only what changed is written, so that
// screen readers and selections are left in peace.
export function show({ user, chain, ended, leeway, inCookie }) {
	for (const part of document.querySelectorAll("[data-mode]")) part.hidden = (part.dataset.mode === "cookie") !== inCookie;
	$("unready").hidden = true;
	$("signed-out").hidden = Boolean(user);
	$("signed-in").hidden = !user;
	if (!user) return;

	write("subject", user.profile.name ?? user.profile.sub);
	write("access-claims", claims(user.access_token));
	write("id-claims", claims(user.id_token));
	$("replay").disabled = chain.length < 2;
	write("hint", inCookie ? "Press Refresh, reload the page, open it in a second tab: all of them share the cookie." : hint(chain, ended, leeway));
	write("readable", JSON.stringify(document.cookie));
	showExpiry(user, ended);
	showChain(chain, ended, leeway);
}

function hint(chain, ended, leeway) {
	if (ended) return "This login is over: the gateway takes none of its tokens any more. Log out, and in again.";
	if (chain.length < 2) return "Press Refresh, and see the refresh token change.";
	if (leeway > 0) return `Replay the old refresh token now: for ${leeway} s more it is taken for a lost answer.`;
	return "Replay the old refresh token now: it counts as stolen.";
}

function showExpiry(user, ended) {
	const issued = decode(user.access_token).iat;
	const left = ended ? 0 : Math.max(0, Math.round(user.expires_at - Date.now() / 1000));
	$("expiry-bar").max = user.expires_at - issued;
	$("expiry-bar").value = left;
	const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
	write("expiry", ended ? "ended with its login" : left > 0 ? `expires in ${time}` : "expired");
}

function showChain(chain, ended, leeway) {
	const text = chain.map(({ name }, i) => {
		const current = i === chain.length - 1;
		if (ended) return [name, "dead", "ended"];
		if (current) return [name, "current", "current"];
		if (i === chain.length - 2 && leeway > 0) return [name, "leeway", `spent, ${leeway} s of leeway`];
		return [name, "spent", "spent"];
	});
	const key = JSON.stringify(text);
	if ($("chain").dataset.key === key) return;
	$("chain").dataset.key = key;
	$("chain").replaceChildren(...text.map(([name, state, words]) => {
		const item = document.createElement("li");
		item.className = state;
		const code = document.createElement("code");
		code.textContent = name;
		item.append(code, " ", words);
		return item;
	}));
}

function write(id, text) {
	if ($(id).textContent !== text) $(id).textContent = text;
}

// decode reads a JWT for display. Only the gateway and APIs verify access tokens.
function decode(jwt) {
	const bytes = Uint8Array.from(atob(jwt.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
	return JSON.parse(new TextDecoder().decode(bytes));
}

const claims = (jwt) => (jwt ? JSON.stringify(decode(jwt), null, 2) : "none");
