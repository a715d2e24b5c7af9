import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.ConfigurableJWTProcessor;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URL;
import java.util.Set;

/** Nimbus' DefaultJWTProcessor, as its page "Validating JWT access tokens" shows it. */
public class App {
	public static void main(String[] args) throws Exception {
		var env = System.getenv();
		ConfigurableJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
		JWKSource<SecurityContext> keys = JWKSourceBuilder.create(new URL(env.get("ISSUER") + ".well-known/jwks.json")).retrying(true).build();
		processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.RS256, keys));
		processor.setJWTClaimsSetVerifier(new DefaultJWTClaimsVerifier<>(env.get("AUDIENCE"),
			new JWTClaimsSet.Builder().issuer(env.get("ISSUER")).build(), Set.of("sub", "exp", "scope")));

		var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(env.get("PORT"))), 0);
		server.createContext("/", exchange -> {
			var token = String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")).replaceFirst("^Bearer ", "");
			int status = 200;
			String answer;
			try {
				answer = processor.process(token, null).getSubject();
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
