import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.pac4j.core.client.Clients;
import org.pac4j.core.config.Config;
import org.pac4j.core.profile.ProfileManager;
import org.pac4j.jee.context.JEEFrameworkParameters;
import org.pac4j.jee.filter.CallbackFilter;
import org.pac4j.jee.filter.LogoutFilter;
import org.pac4j.jee.filter.SecurityFilter;
import org.pac4j.oidc.client.OidcClient;
import org.pac4j.oidc.config.OidcConfiguration;
import org.pac4j.oidc.profile.OidcProfile;

/** pac4j's OidcClient with the filters of jakartaee-pac4j, as their pages show them. */
public class App {
	static Config config;

	public static void main(String[] args) throws Exception {
		var env = System.getenv();
		var oidc = new OidcConfiguration();
		oidc.setClientId(env.get("CLIENT_ID"));
		oidc.setSecret(env.get("CLIENT_SECRET"));
		oidc.setDiscoveryURI(env.get("ISSUER") + ".well-known/openid-configuration");
		oidc.setScope("openid profile email offline_access");
		// It refreshes the tokens of a session that are about to expire; here all are.
		oidc.setExpireSessionWithToken(true);
		oidc.setTokenExpirationAdvance(86400);
		config = new Config(new Clients(env.get("HOME_URL") + "callback", new OidcClient(oidc)));

		var context = new ServletContextHandler(ServletContextHandler.SESSIONS);
		var callback = new CallbackFilter(config);
		callback.setDefaultUrl("/user");
		filter(context, callback, "/callback");
		var logout = new LogoutFilter(config, env.get("HOME_URL"));
		logout.setCentralLogout(true);
		filter(context, logout, "/logout");
		for (var path : new String[] {"/login", "/orders", "/refresh"}) {
			filter(context, new SecurityFilter(config, "OidcClient"), path);
		}
		context.addServlet(new ServletHolder(new Pages()), "/*");
		var server = new Server(Integer.parseInt(env.get("PORT")));
		server.setHandler(context);
		server.start();
	}

	static void filter(ServletContextHandler context, jakarta.servlet.Filter filter, String path) {
		context.addFilter(new FilterHolder(filter), path, EnumSet.of(DispatcherType.REQUEST));
	}

	static class Pages extends HttpServlet {
		@Override
		protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
			var parameters = new JEEFrameworkParameters(request, response);
			var manager = new ProfileManager(config.getWebContextFactory().newContext(parameters), config.getSessionStoreFactory().newSessionStore(parameters));
			manager.setConfig(config);
			var profile = (OidcProfile) manager.getProfile().orElse(null);
			if (profile == null || request.getServletPath().isEmpty() && request.getPathInfo().equals("/user")) {
				response.getWriter().print(profile == null ? "nobody" : profile.getEmail());
				return;
			}
			var asked = HttpRequest.newBuilder(URI.create(System.getenv("AUDIENCE") + "orders"))
				.header("Authorization", "Bearer " + profile.getAccessToken().getValue()).build();
			try {
				response.getWriter().print(HttpClient.newHttpClient().send(asked, HttpResponse.BodyHandlers.ofString()).body());
			} catch (InterruptedException ended) {
				throw new IOException(ended);
			}
		}
	}
}
