import io.quarkus.oidc.AccessTokenCredential;
import io.quarkus.oidc.IdToken;
import jakarta.inject.Inject;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.eclipse.microprofile.jwt.JsonWebToken;

/** Quarkus' OIDC extension as a web application, as its "authorization code flow" guide shows it. */
@Path("/")
public class Pages {
	@Inject
	@IdToken
	JsonWebToken person;

	@Inject
	AccessTokenCredential token;

	@GET
	public String home() {
		return "home";
	}

	@GET
	@Path("login")
	public String login() {
		return user();
	}

	@GET
	@Path("user")
	public String user() {
		return person.getClaim("email");
	}

	@GET
	@Path("orders")
	public String orders() throws Exception {
		var asked = HttpRequest.newBuilder(URI.create(System.getenv("AUDIENCE") + "orders"))
			.header("Authorization", "Bearer " + token.getToken()).build();
		return HttpClient.newHttpClient().send(asked, HttpResponse.BodyHandlers.ofString()).body();
	}
}
