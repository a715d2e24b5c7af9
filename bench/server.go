package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// server is a Caddy process under measurement.
type server struct {
	cmd  *exec.Cmd
	base string // http://127.0.0.1:port of the routes
	auth string // issuer
}

// setup says what the server is configured with.
type setup struct {
	Dir, Store, Issuer, Audience, Secret, Algorithm string
	IDTokenAlgorithm                                string // of the client spa; "" for the usual one
	Redis                                           string // address; "" for bbolt at Store
	UsersFile                                       string // "" for none
	Provider                                        string // the issuer of a login; "" for none
	AuthPort, RoutePort, AdminPort                  int
	File                                            *template.Template // nil for the usual Caddyfile
}

var caddyfile = template.Must(template.New("Caddyfile").Parse(`{
	admin localhost:{{.AdminPort}}
	auto_https off
	persist_config off
	log {
		level ERROR
	}
	oauth {
		issuer {{.Issuer}}
		secret {{.Secret}}
		store {{if .Redis}}redis {
			address {{.Redis}}
		}{{else}}bolt {{.Store}}{{end}}
		signing {
			access_token_algorithm {{.Algorithm}}
		}
		login local {
			user nobody $2a$04$7zKjn1cJxRUeZFhnQo9Hbe3wtcvOBcdYLXMhBCtLwS2QHYc4R6XcW
			{{with .UsersFile}}users_file {{.}}{{end}}
		}
		login github bench {
			client_id gatehouse
			client_secret bench
			allow anyone
		}
		api {{.Audience}} {
			scopes read
			allow_offline_access
			access_token_lifetime 1h
		}
		client spa {
			type spa
			redirect_uris https://app.bench.example/cb
			apis {{.Audience}}
			{{with .IDTokenAlgorithm}}id_token_algorithm {{.}}{{end}}
		}
		client machine {
			type machine
			apis {{.Audience}}
			secret_hash sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU
		}
	}
}

http://localhost:{{.AuthPort}} {
	oauth_server
}

http://localhost:{{.RoutePort}}, http://127.0.0.1:{{.RoutePort}} {
	handle /plain {
		respond "hello"
	}
	handle /guarded {
		bearer_auth {
			audience {{.Audience}}
			scope read
		}
		respond "hello"
	}
}
`))

func newSetup(o options, name, alg string) (setup, error) {
	ports, err := freePorts(3)
	if err != nil {
		return setup{}, err
	}
	return setup{
		Dir: o.dir, Store: filepath.Join(o.dir, name+".db"), Audience: audience, Secret: secret, Algorithm: alg,
		Issuer:   fmt.Sprintf("http://localhost:%d/", ports[0]),
		AuthPort: ports[0], RoutePort: ports[1], AdminPort: ports[2],
	}, nil
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// start runs Caddy and waits until it answers.
func start(ctx context.Context, o options, s setup) (*server, error) {
	path := s.Store + ".Caddyfile"
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	file := caddyfile
	if s.File != nil {
		file = s.File
	}
	if err := errors.Join(file.Execute(f, s), f.Close()); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, o.caddy, "run", "--config", path, "--adapter", "caddyfile")
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+o.dir, "XDG_CONFIG_HOME="+o.dir)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	srv := &server{cmd: cmd, base: fmt.Sprintf("http://127.0.0.1:%d", s.RoutePort), auth: s.Issuer}
	for range 200 {
		res, err := http.Get(srv.base + "/plain")
		if err == nil {
			return srv, res.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("starting Caddy: it does not answer"), srv.stop())
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	_ = s.cmd.Wait() // an interrupted Caddy exits with a status of its own
	return nil
}

// cpu returns the processor time that the server has used so far.
func (s *server) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}
