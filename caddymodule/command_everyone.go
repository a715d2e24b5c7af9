package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func everyoneCommand() *cobra.Command {
	end := command("end --yes", "Ends every session, code, refresh token and access token of everybody until now", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			if yes, _ := cmd.Flags().GetBool("yes"); !yes {
				return wrongUsef("this signs everybody out, on all nodes and for good: every session, code, refresh token and access token, " +
					"those of machines too, that was begun or issued until now. Nothing was done; say --yes to do it")
			}
			return patiently(cmd, endUntilHeard, func() error {
				return call(cmd, http.MethodPost, "everyone/end", nil, func(w io.Writer, answer endedEveryone) error {
					_, err := fmt.Fprintf(w, "ended: everything that anybody had until %s\n", answer.Until.Format(time.RFC3339))
					return err
				})
			})
		})
	end.Flags().Bool("yes", false, "Do it: without it nothing is done")
	return group("everyone", "Ends what everybody has", end)
}
