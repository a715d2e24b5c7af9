// Runs the tests of this folder, each against an identity provider of others that is installed for it, or says what is missing.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const providers = [{ name: "keycloak", needs: ["java", "mvn"], install: ["mvn", "-q", "-B", "dependency:unpack-dependencies"] }];

let failed = 0;
for (const { name, needs, install } of providers) {
	const place = join(import.meta.dirname, name);
	const version = readFileSync(join(place, "pom.xml"), "utf8").match(/<version>(\d+\.[\d.]+)</)[1];
	const lacks = needs.filter((need) => spawnSync("sh", ["-c", 'command -v "$0"', need]).status !== 0);
	if (lacks.length > 0) {
		console.log(`${name} ${version} NOT RUN: ${lacks.join(" and ")} is not installed`);
		continue;
	}
	const [command, ...args] = install;
	const run = (program, ...more) => spawnSync(program, more, { cwd: place, stdio: "inherit" }).status === 0;
	const good = run(command, ...args) && run(process.execPath, "--test", "--test-timeout=600000", "--test-reporter=spec", `${name}.test.mjs`);
	console.log(`${name} ${version} ${good ? "works" : "FAILED"}`);
	if (!good) failed++;
}
process.exitCode = failed > 0 ? 1 : 0;
