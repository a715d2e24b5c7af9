// The JavaScript that the pages show is JavaScript. What runs of it has tests of its own.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../..");

test("the JavaScript of the pages parses", async () => {
	const names = ["README.md", ...(await readdir(join(root, "docs"), { recursive: true })).filter((name) => name.endsWith(".md")).map((name) => join("docs", name))];
	const folder = await mkdtemp(join(tmpdir(), "docs-"));
	let found = 0;
	try {
		for (const name of names) {
			if (name === "docs/verifying.md") continue; // parts of programs, which are held to these and run
			for (const [, code] of (await readFile(join(root, name), "utf8")).matchAll(/```js\n(.*?)```/gs)) {
				const file = join(folder, `${++found}.mjs`);
				await writeFile(file, code);
				await promisify(execFile)(process.execPath, ["--check", file]).catch(({ stderr }) => assert.fail(`${name}: ${stderr}`));
			}
		}
	} finally {
		await rm(folder, { recursive: true });
	}
	assert.ok(found >= 4, `found ${found} snippets`);
});
