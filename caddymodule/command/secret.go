package command

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// generatedSecrets is what `caddy oauth secret` prints.
type generatedSecrets struct {
	ClientSecret  string `json:"client_secret"`
	SecretHash    string `json:"secret_hash"`
	GatewaySecret string `json:"gateway_secret"`
}

func secretCommand() *cobra.Command {
	return command("secret", "Generates a client secret with its hash, and a gateway secret", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			b := make([]byte, 32)
			_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
			s := generatedSecrets{ClientSecret: base64.RawURLEncoding.EncodeToString(b), GatewaySecret: caddymodule.NewGatewaySecret()}
			s.SecretHash = clients.HashSecret(s.ClientSecret)
			if asJSON(cmd) {
				return printJSON(cmd, s)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), `For a web or machine client:
  give to the client       %s
  secret_hash              %s

For the gateway itself, the value behind `+"`secret {env.GATEHOUSE_SECRET}`"+`:
  GATEHOUSE_SECRET         %s
`, s.ClientSecret, s.SecretHash, s.GatewaySecret)
			return err
		})
}
