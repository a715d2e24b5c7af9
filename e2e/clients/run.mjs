// Runs the programs of this folder against a gateway, all or those named, and says what worked: node run.mjs [name …]
import { launch } from "../harness/browser.mjs";
import { gateways, startFor } from "../harness/clients-gateway.mjs";
import { all, install, missing } from "../harness/clients.mjs";
import { drive } from "../harness/drive.mjs";

const clients = await all(process.argv.slice(2));
let browser;
let failed = 0;
for (const group of gateways(clients)) {
	const gateway = await startFor(group);
	for (const client of group) await run(client, gateway);
	await gateway.stop();
}
await (await browser)?.close();
process.exitCode = failed > 0 ? 1 : 0;

async function run(client, gateway) {
	const line = `${client.name} ${client.version}`.padEnd(40);
	const lacks = await missing(client);
	if (lacks) {
		console.log(`${line} NOT RUN: ${lacks} is not installed`);
		return;
	}
	try {
		await install(client);
		await drive(client, gateway, () => (browser ??= launch()));
		console.log(`${line} ${client.does.join(", ")}`);
	} catch (failure) {
		failed++;
		console.log(`${line} FAILED: ${failure.message}`);
	}
}
