package stack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock/internal/stack"
)

// onlyPrograms makes a machine with an empty cache on which only these shell scripts are installed.
func onlyPrograms(t *testing.T, scripts map[string]string) {
	t.Helper()
	isolate(t)
	bin := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PENSTOCK_CACHE", t.TempDir())
}

func TestMissingPrerequisitesAreOneError(t *testing.T) {
	const java17 = `echo 'openjdk version "17.0.15" 2025-04-15' >&2`
	for name, test := range map[string]struct {
		programs map[string]string
		want     []string
	}{
		"nothing": {nil, []string{"no Java 17 to 23", "no mvn", "apt-get install -y openjdk-17-jre-headless maven"}},
		"no mvn":  {map[string]string{"java": java17}, []string{"no mvn", "openjdk-17-jre-headless maven"}},
		"a mvn that fails": {
			map[string]string{"java": java17, "mvn": "echo '[ERROR] no network here'; exit 1"},
			[]string{"with mvn", "no network here"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			onlyPrograms(t, test.programs)
			_, err := stack.Start(t.Context(), stack.Options{Mode: stack.Native})
			if err == nil {
				t.Fatal("started without prerequisites")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want it to say %q", err, want)
				}
			}
		})
	}
}

func TestOldJavaIsNamed(t *testing.T) {
	home := filepath.Join(t.TempDir(), "jdk")
	onlyPrograms(t, map[string]string{"mvn": "exit 1"})
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n"
	java := filepath.Join(home, "bin", "java")
	if err := os.WriteFile(java, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAVA_HOME", home)
	_, err := stack.StartKafka(t.Context(), stack.Options{Mode: stack.Native}, nil)
	if installed, _ := filepath.Glob("/usr/lib/jvm/*/bin/java"); len(installed) > 0 {
		if err == nil || strings.Contains(err.Error(), "no Java") {
			t.Errorf("got %v, want an installed Java instead of the old one, and mvn's failure", err)
		}
		return
	}
	if want := fmt.Sprintf("%s is Java 8", java); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want it to say %q", err, want)
	}
}
