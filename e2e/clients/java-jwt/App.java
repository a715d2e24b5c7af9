import com.auth0.jwk.JwkProvider;
import com.auth0.jwk.JwkProviderBuilder;
import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.interfaces.RSAKeyProvider;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.net.URL;

/** java-jwt with jwks-rsa, as its "Using a KeyProvider" shows it. */
public class App {
	public static void main(String[] args) throws Exception {
		var env = System.getenv();
		JwkProvider keys = new JwkProviderBuilder(new URL(env.get("ISSUER") + ".well-known/jwks.json")).build();
		var algorithm = Algorithm.RSA256(new RSAKeyProvider() {
			@Override
			public RSAPublicKey getPublicKeyById(String id) {
				try {
					return (RSAPublicKey) keys.get(id).getPublicKey();
				} catch (Exception unknown) {
					throw new IllegalStateException(unknown);
				}
			}

			@Override
			public RSAPrivateKey getPrivateKey() {
				return null;
			}

			@Override
			public String getPrivateKeyId() {
				return null;
			}
		});
		var verifier = JWT.require(algorithm).withIssuer(env.get("ISSUER")).withAudience(env.get("AUDIENCE")).build();

		var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(env.get("PORT"))), 0);
		server.createContext("/", exchange -> {
			var token = String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")).replaceFirst("^Bearer ", "");
			int status = 200;
			String answer;
			try {
				answer = verifier.verify(token).getSubject();
			} catch (Exception refused) {
				status = 401;
				answer = refused.toString();
			}
			exchange.sendResponseHeaders(status, answer.length());
			try (var body = exchange.getResponseBody()) {
				body.write(answer.getBytes());
			}
		});
		server.start();
	}
}
