import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.security.AuthenticationState;
import org.eclipse.jetty.security.Constraint;
import org.eclipse.jetty.security.SecurityHandler;
import org.eclipse.jetty.security.openid.OpenIdAuthenticator;
import org.eclipse.jetty.security.openid.OpenIdConfiguration;
import org.eclipse.jetty.security.openid.OpenIdLoginService;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.handler.ContextHandler;
import org.eclipse.jetty.session.SessionHandler;
import org.eclipse.jetty.util.Callback;

/** Jetty's OpenID support, embedded, as its programming guide shows it. */
public class App {
	public static void main(String[] args) throws Exception {
		var env = System.getenv();
		var config = new OpenIdConfiguration.Builder(env.get("ISSUER"), env.get("CLIENT_ID"), env.get("CLIENT_SECRET")).scopes("profile", "email").build();

		var security = new SecurityHandler.PathMapped();
		security.setLoginService(new OpenIdLoginService(config));
		security.setAuthenticator(new OpenIdAuthenticator(config, "/callback", "/error", "/"));
		security.put("/*", Constraint.ALLOWED);
		security.put("/login", Constraint.ANY_USER);
		security.setHandler(new Handler.Abstract() {
			@Override
			public boolean handle(Request request, Response response, Callback callback) throws Exception {
				return App.handle(request, response, callback);
			}
		});

		var sessions = new SessionHandler();
		sessions.setHandler(security);
		var server = new Server(Integer.parseInt(env.get("PORT")));
		server.setHandler(new ContextHandler(sessions, "/"));
		server.start();
	}

	static boolean handle(Request request, Response response, Callback callback) throws Exception {
		var session = request.getSession(false);
		switch (Request.getPathInContext(request)) {
			case "/orders" -> {
				var tokens = (Map<?, ?>) session.getAttribute(OpenIdAuthenticator.RESPONSE);
				var asked = HttpRequest.newBuilder(URI.create(System.getenv("AUDIENCE") + "orders")).header("Authorization", "Bearer " + tokens.get("access_token")).build();
				Content.Sink.write(response, true, HttpClient.newHttpClient().send(asked, HttpResponse.BodyHandlers.ofString()).body(), callback);
			}
			case "/logout" -> {
				AuthenticationState.logout(request, response);
				callback.succeeded();
			}
			default -> Content.Sink.write(response, true, String.valueOf(session == null ? null : session.getAttribute(OpenIdAuthenticator.CLAIMS)), callback);
		}
		return true;
	}
}
