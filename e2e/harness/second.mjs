// A second Gatehouse, at which people of the first sign in as at anybody else's provider.
import { aliceHash, alice, freePlaces, serve, sha256 } from "./gateway.mjs";
import { providerSecret } from "./provider.mjs";

// secondPlaces are free places at 127.0.0.2, which is another site than localhost and 127.0.0.1, with cookies of its own.
export async function secondPlaces() {
	const [issuer] = await freePlaces(1);
	return { issuer: issuer.replace("localhost", "127.0.0.2") };
}

// startSecond runs it there, with the first, whose issuer is known, as a client that hears of sign-outs.
export const startSecond = (places, first) => serve(places, ({ folder, issuer }) => `{
	admin off
	persist_config off
	default_bind 127.0.0.2
	storage file_system ${folder}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${folder}/gatehouse.db
		login local {
			user ${alice.username} ${aliceHash} {
				name "Alice Liddell"
				email alice@example.com
			}
		}
		api https://people.example.com {
			allow_offline_access
		}
		client gatehouse {
			type web
			name "The first Gatehouse"
			redirect_uris ${first}callback/second
			logout_uris ${first}signed-out/second
			backchannel_logout_uri ${first}backchannel-logout/second
			secret_hash ${sha256(providerSecret)}
			apis https://people.example.com
		}
	}
}
${issuer.slice(0, -1)} {
	oauth_server
}
`);
