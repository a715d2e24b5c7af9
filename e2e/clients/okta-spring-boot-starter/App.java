import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** A resource server with okta-spring-boot-starter, as its README and Auth0's Spring quickstart show it. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@RestController
public class App {
	public static void main(String[] args) throws Exception {
		trust(System.getenv("SSL_CERT_FILE"));
		SpringApplication.run(App.class, "--spring.config.location=file:application.yml");
	}

	@GetMapping("/orders")
	String orders(@AuthenticationPrincipal Jwt token) {
		return token.getSubject();
	}

	/** The certificate of this test's own authority. */
	private static void trust(String pem) throws Exception {
		var store = KeyStore.getInstance("PKCS12");
		store.load(null, null);
		try (var in = new FileInputStream(pem)) {
			store.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(in));
		}
		var file = Files.createTempFile("trust", ".p12").toFile();
		file.deleteOnExit();
		try (var out = new FileOutputStream(file)) {
			store.store(out, "changeit".toCharArray());
		}
		System.setProperty("javax.net.ssl.trustStore", file.getPath());
		System.setProperty("javax.net.ssl.trustStorePassword", "changeit");
	}
}
