// Runs the programs of this folder against a gateway, all or those named, and says what worked: node run.mjs [name …]
import { launch } from "../harness/browser.mjs";
import { startFor } from "../harness/clients-gateway.mjs";
import { all, install, missing } from "../harness/clients.mjs";
import { drive } from "../harness/drive.mjs";

const clients = await all(process.argv.slice(2));
const lines = clients.map((client) => `${client.name} ${client.version}`.padEnd(40));
const gateway = await startFor(clients);
let browser;
let failed = 0;
for (const [i, client] of clients.entries()) {
	const lacks = await missing(client);
	if (lacks) {
		console.log(`${lines[i]} not run: ${lacks} is not installed`);
		continue;
	}
	try {
		await install(client);
		await drive(client, gateway, () => (browser ??= launch()));
		console.log(`${lines[i]} ${client.does.join(", ")}`);
	} catch (failure) {
		failed++;
		console.log(`${lines[i]} FAILED: ${failure.message}`);
	}
}
await (await browser)?.close();
await gateway.stop();
process.exitCode = failed > 0 ? 1 : 0;
