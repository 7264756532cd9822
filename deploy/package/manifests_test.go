// Package deploy_test has files for containers read by those who wrote their formats. It is in the module of the tools that
// make packages, so that the server's own module stays small.
package deploy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// loadCompose loads compose.yaml as docker compose does.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose/compose.yaml"}, cli.WithProfiles([]string{"tls"}), cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// TestCompose sees that every service is walled in.
func TestCompose(t *testing.T) {
	project := loadCompose(t)
	if len(project.Services) != 6 {
		t.Errorf("there are %v", project.ServiceNames())
	}
	for name, s := range project.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not walled in", name)
		}
		for variable := range s.Environment {
			if slices.Contains([]string{"KYRO_SECRET", "DATABASE_URL", "REDIS_URL", "POSTGRES_PASSWORD"}, variable) {
				t.Errorf("%s has %s in its environment", name, variable)
			}
		}
		for _, port := range s.Ports {
			if name != "caddy" && port.HostIP != "127.0.0.1" {
				t.Errorf("%s is reached from outside at %s", name, port.Published)
			}
		}
	}
}

// TestCaddyIsTrusted: Caddy reaches api by a name that is in the trusted network alone, whatever Docker prefers of several.
func TestCaddyIsTrusted(t *testing.T) {
	project := loadCompose(t)
	text, err := os.ReadFile("../compose/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "reverse_proxy ")
	host, _, _ := strings.Cut(after, ":")
	api := project.Services["api"]
	trusted := *api.Environment["KYRO_TRUSTED_PROXIES"]
	var in []string
	for name, network := range api.Networks {
		if network != nil && slices.Contains(network.Aliases, host) {
			in = append(in, name)
		}
	}
	if _, service := project.Services[host]; service || len(in) != 1 || project.Networks[in[0]].Ipam.Config[0].Subnet != trusted {
		t.Errorf("Caddy reaches api as %s, which is in %v; trusted is %s", host, in, trusted)
	}
}

// TestSecretsStayOutOfTheImage: what is sent to the build of the image has none of the secrets of compose.yaml.
func TestSecretsStayOutOfTheImage(t *testing.T) {
	project := loadCompose(t)
	text, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	left := strings.Fields(string(text))
	for name, secret := range project.Secrets {
		path, err := filepath.Rel(project.Services["api"].Build.Context, secret.File)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(left, func(each string) bool { return strings.HasPrefix(path, each+"/") }) {
			t.Errorf("the build of the image reads %s, which is %s", path, name)
		}
	}
}

// TestKubernetes reads the manifests into the types of the API, where no field may be unknown.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile("../kubernetes/kyrochat.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]func() any{
		"ServiceAccount": func() any { return &core.ServiceAccount{} }, "ConfigMap": func() any { return &core.ConfigMap{} },
		"Deployment": func() any { return &apps.Deployment{} }, "Service": func() any { return &core.Service{} },
		"PodDisruptionBudget": func() any { return &policy.PodDisruptionBudget{} }, "NetworkPolicy": func() any { return &networking.NetworkPolicy{} },
		"Ingress": func() any { return &networking.Ingress{} },
	}
	read := map[string]int{}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var head struct{ Kind string }
		if err := yaml.Unmarshal(document, &head); err != nil {
			t.Fatal(err)
		}
		make, known := kinds[head.Kind]
		if !known {
			t.Fatalf("%q is not looked at here", head.Kind)
		}
		into := make()
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		read[head.Kind]++
		deployment, ok := into.(*apps.Deployment)
		if !ok {
			continue
		}
		pod := deployment.Spec.Template.Spec
		if pod.TerminationGracePeriodSeconds == nil || *pod.TerminationGracePeriodSeconds < 15+46+5 {
			t.Errorf("%s is killed before it has drained", deployment.Name)
		}
		for _, c := range pod.Containers {
			if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe == nil || c.LivenessProbe.HTTPGet.Path != "/healthz" {
				t.Errorf("%s is not asked how it is", deployment.Name)
			}
			if c.SecurityContext == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
				t.Errorf("%s is not walled in", deployment.Name)
			}
			if !strings.HasPrefix(c.Image, "registry.example.com/") {
				t.Errorf("%s is of %s", deployment.Name, c.Image)
			}
		}
	}
	if read["Deployment"] != 2 {
		t.Errorf("read were %v", read)
	}
}
