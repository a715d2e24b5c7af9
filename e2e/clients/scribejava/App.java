import com.github.scribejava.core.builder.ServiceBuilder;
import com.github.scribejava.core.builder.api.DefaultApi20;
import com.github.scribejava.core.model.OAuth2AccessToken;
import com.github.scribejava.core.model.OAuthRequest;
import com.github.scribejava.core.model.Verb;
import com.github.scribejava.core.oauth.OAuth20Service;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.UUID;
import java.util.regex.Pattern;

/** ScribeJava's OAuth20Service with a DefaultApi20 of its own, as its "Getting started" and examples show it. For one person. */
public class App {
	static final String ISSUER = System.getenv("ISSUER");
	static OAuth20Service service;
	static String state;
	static OAuth2AccessToken token;

	static class Gatehouse extends DefaultApi20 {
		@Override
		public String getAccessTokenEndpoint() {
			return ISSUER + "oauth/token";
		}

		@Override
		protected String getAuthorizationBaseUrl() {
			return ISSUER + "authorize";
		}
	}

	public static void main(String[] args) throws Exception {
		service = new ServiceBuilder(System.getenv("CLIENT_ID"))
			.apiSecret(System.getenv("CLIENT_SECRET"))
			.defaultScope("openid profile email offline_access")
			.callback(System.getenv("REDIRECT_URI"))
			.build(new Gatehouse());
		var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("PORT"))), 0);
		server.createContext("/", exchange -> {
			try {
				serve(exchange);
			} catch (Exception failure) {
				failure.printStackTrace();
				say(exchange, 500, failure.toString());
			}
		});
		server.start();
	}

	static void serve(HttpExchange exchange) throws Exception {
		switch (exchange.getRequestURI().getPath()) {
			case "/login" -> {
				state = UUID.randomUUID().toString();
				go(exchange, service.getAuthorizationUrl(state));
			}
			case "/callback" -> {
				var back = service.extractAuthorization(exchange.getRequestURI().toString());
				if (!state.equals(back.getState())) {
					throw new IllegalStateException("another state");
				}
				token = service.getAccessToken(back.getCode());
				go(exchange, "/user");
			}
			case "/user" -> say(exchange, 200, token == null ? "nobody" : get(ISSUER + "userinfo"));
			case "/orders" -> say(exchange, 200, get(System.getenv("AUDIENCE") + "orders"));
			case "/refresh" -> {
				token = service.refreshAccessToken(token.getRefreshToken());
				say(exchange, 200, get(System.getenv("AUDIENCE") + "orders"));
			}
			case "/logout" -> {
				var match = Pattern.compile("\"id_token\"\\s*:\\s*\"([^\"]+)\"").matcher(token.getRawResponse());
				match.find();
				token = null;
				go(exchange, ISSUER + "oidc/logout?id_token_hint=" + match.group(1) + "&post_logout_redirect_uri=" + System.getenv("HOME_URL"));
			}
			default -> say(exchange, 200, "home");
		}
	}

	static String get(String url) throws Exception {
		var request = new OAuthRequest(Verb.GET, url);
		service.signRequest(token, request);
		return service.execute(request).getBody();
	}

	static void go(HttpExchange exchange, String place) throws Exception {
		exchange.getResponseHeaders().set("Location", place);
		exchange.sendResponseHeaders(302, -1);
		exchange.close();
	}

	static void say(HttpExchange exchange, int status, String answer) throws java.io.IOException {
		exchange.sendResponseHeaders(status, answer.getBytes().length);
		try (var body = exchange.getResponseBody()) {
			body.write(answer.getBytes());
		}
	}
}
