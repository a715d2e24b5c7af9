import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Spring Security's resource server, as its reference shows the minimal configuration for JWTs. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@RestController
public class App {
	public static void main(String[] args) {
		SpringApplication.run(App.class, "--spring.config.location=file:application.yml");
	}

	@GetMapping("/orders")
	String orders(@AuthenticationPrincipal Jwt token) {
		return token.getSubject();
	}
}
