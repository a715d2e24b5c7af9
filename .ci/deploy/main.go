// Command deploy reads examples/deploy with the code of the programs that they are
// for: Docker's own parser, Compose's own loader, the types of Kubernetes' API. A
// misspelled field or an instruction that is not known is an error.
//
//	go -C .ci/deploy run . "$PWD/examples/deploy"
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: deploy <folder>")
		os.Exit(2)
	}
	failed := false
	for name, check := range map[string]func(string) error{
		"Dockerfile": dockerfile, "compose.yaml": compose, "kubernetes.yaml": kubernetes,
	} {
		if err := check(filepath.Join(os.Args[1], name)); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func dockerfile(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	read, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	stages, _, err := instructions.Parse(read.AST, nil)
	if err == nil && len(stages) < 2 {
		err = errors.New("it has one stage, so that the image holds the tools that built it")
	}
	return err
}

func compose(name string) error {
	options, err := cli.NewProjectOptions([]string{name})
	if err != nil {
		return err
	}
	_, err = options.LoadProject(context.Background())
	return err
}

func kubernetes(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(known); err != nil {
			return err
		}
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	for {
		document := make([]byte, len(text))
		n, err := documents.Read(document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, kind, err := decoder.Decode(document[:n], nil, nil); err != nil {
			return fmt.Errorf("%v: %w", kind, err)
		}
	}
}
