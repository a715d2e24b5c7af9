import java.time.Duration;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpHeaders;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizeRequest;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientProviderBuilder;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/** Spring Security's OAuth 2.0 login, with the logout at the provider and by it, as its reference shows them. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@RestController
public class App {
	private final OAuth2AuthorizedClientManager clients;
	private final OAuth2AuthorizedClientManager eager;

	App(ClientRegistrationRepository registrations, OAuth2AuthorizedClientRepository authorized) {
		clients = new DefaultOAuth2AuthorizedClientManager(registrations, authorized);
		// It refreshes tokens that are about to expire; here all are.
		var refreshing = new DefaultOAuth2AuthorizedClientManager(registrations, authorized);
		refreshing.setAuthorizedClientProvider(OAuth2AuthorizedClientProviderBuilder.builder()
			.refreshToken(refresh -> refresh.clockSkew(Duration.ofDays(1))).build());
		eager = refreshing;
	}

	public static void main(String[] args) {
		SpringApplication.run(App.class, "--spring.config.location=file:application.yml");
	}

	@Bean
	SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository registrations) throws Exception {
		var logout = new OidcClientInitiatedLogoutSuccessHandler(registrations);
		logout.setPostLogoutRedirectUri("{baseUrl}/");
		return http
			.authorizeHttpRequests(authorize -> authorize.requestMatchers("/", "/user").permitAll().anyRequest().authenticated())
			.oauth2Login(Customizer.withDefaults())
			.logout(out -> out.logoutSuccessHandler(logout))
			.oidcLogout(out -> out.backChannel(Customizer.withDefaults()))
			.build();
	}

	@GetMapping("/")
	String home() {
		return "home";
	}

	@GetMapping("/user")
	Map<String, Object> user(@AuthenticationPrincipal OidcUser user) {
		return user == null ? Map.of() : user.getClaims();
	}

	@GetMapping("/orders")
	String orders(Authentication person) {
		return call(clients, person);
	}

	@GetMapping("/refresh")
	String refresh(Authentication person) {
		return call(eager, person);
	}

	private static String call(OAuth2AuthorizedClientManager clients, Authentication person) {
		var token = clients.authorize(OAuth2AuthorizeRequest.withClientRegistrationId("gatehouse").principal(person).build()).getAccessToken();
		return RestClient.create().get().uri(System.getenv("AUDIENCE") + "orders")
			.header(HttpHeaders.AUTHORIZATION, "Bearer " + token.getTokenValue()).retrieve().body(String.class);
	}
}
