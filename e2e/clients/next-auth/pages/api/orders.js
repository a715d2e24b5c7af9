import { getServerSession } from "next-auth/next";
import { authOptions } from "./auth/[...nextauth]";

export default async function handler(req, res) {
	const session = await getServerSession(req, res, authOptions);
	const answer = await fetch(process.env.AUDIENCE, { headers: { Authorization: `Bearer ${session.accessToken}` } });
	res.status(answer.status).send(await answer.text());
}
