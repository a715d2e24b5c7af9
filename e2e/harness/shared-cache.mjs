// A cache that many people share, in front of a site: it keeps what it may by RFC 9111 §3, whoever asks.
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { connect } from "node:net";

// startCache listens at a port and passes requests on to another one.
export async function startCache(port, behind) {
	const kept = new Map();
	const cache = { served: [], close };
	const server = createServer((request, answer) => {
		const held = request.method === "GET" && kept.get(request.url);
		if (held) {
			cache.served.push(request.url);
			answer.writeHead(held.status, { ...held.headers, age: "1" });
			answer.end(held.body);
			return;
		}
		const onward = ask({ host: "127.0.0.1", port: behind, method: request.method, path: request.url, headers: request.headers }, async (reply) => {
			const parts = [];
			for await (const part of reply) parts.push(part);
			const body = Buffer.concat(parts);
			if (request.method === "GET" && reply.statusCode === 200 && mayKeep(reply.headers)) kept.set(request.url, { status: reply.statusCode, headers: reply.headers, body });
			answer.writeHead(reply.statusCode, reply.headers);
			answer.end(body);
		});
		request.pipe(onward);
	}).on("upgrade", (request, socket) => { // a WebSocket: byte for byte
		const onward = connect(behind, "127.0.0.1", () => {
			const headers = request.rawHeaders.map((text, i) => text + (i % 2 ? "\r\n" : ": ")).join("");
			onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers}\r\n`);
			socket.pipe(onward).pipe(socket);
		});
		for (const end of [socket, onward]) end.on("error", () => { socket.destroy(); onward.destroy(); });
	}).listen(port, "127.0.0.1");
	await once(server, "listening");
	return cache;

	function close() {
		server.close();
		server.closeAllConnections();
	}
}

// mayKeep: what is said to caches like this one goes before what is said to all (RFC 9213).
function mayKeep(headers) {
	const says = headers["cdn-cache-control"] ?? headers["cache-control"] ?? "";
	return /(^|[ ,])(public|s-maxage=[1-9]|max-age=[1-9])/.test(says) && !/private|no-store|no-cache/.test(says);
}
