package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// configFlags name a configuration.
type configFlags struct {
	path  string
	set   []string
	given func() bool // the path was given, else it is the default
}

func (c *configFlags) register(cmd *cobra.Command) {
	c.given = func() bool { return cmd.Flags().Changed("config") }
	cmd.Flags().StringVarP(&c.path, "config", "c", "penstock.yaml", "configuration `file`")
	cmd.Flags().StringArrayVar(&c.set, "set", nil, "set one `key=value`, such as kafka.partitions=6; repeatable")
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check or print the configuration",
		Long: `A value comes from the built-in default, the YAML file, the environment as
PENSTOCK_<SECTION>_<KEY> (PENSTOCK_SOURCE_DSN; lists comma-separated), and
--set key=value, the later overriding the earlier. In the file ${VAR},
${VAR:-default} and ${file:/path} stand for values from elsewhere.`,
		Example: "  penstock config validate -c penstock.yaml\n  PENSTOCK_KAFKA_PARTITIONS=6 penstock config render",
	}
	cmd.AddCommand(a.configValidateCommand(), a.configRenderCommand())
	return group(cmd)
}

func (a *app) configValidateCommand() *cobra.Command {
	var from configFlags
	only := choices{allowed: roleNames()}
	cmd := &cobra.Command{
		Use:     "validate",
		Short:   "Report everything wrong with a configuration",
		Example: "  penstock config validate -c penstock.yaml\n  penstock config validate --only capture",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if _, err := a.loadConfig(from.path, from.set, roles(only.values)...); err != nil {
				return err
			}
			if a.data() {
				return a.writeData(map[string]any{"command": "penstock config validate", "ok": true})
			}
			_, err := fmt.Fprintf(a.stdout, "%s %s is valid\n", a.palette(a.stdout).tick(), from.path)
			return err
		},
	}
	from.register(cmd)
	cmd.Flags().Var(&only, "only", "check what these roles need, as for run --only")
	return cmd
}

func (a *app) configRenderCommand() *cobra.Command {
	var from configFlags
	only := choices{allowed: roleNames()}
	cmd := &cobra.Command{
		Use:     "render",
		Short:   "Print every key with the value in force; secrets are stars",
		Example: "  penstock config render -c penstock.yaml --set log.level=debug\n  penstock config render --only capture",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.loadConfig(from.path, from.set, roles(only.values)...)
			if err != nil {
				return err
			}
			render := cfg.YAML
			if a.data() {
				render = cfg.JSON
			}
			text, err := render()
			if err != nil {
				return fmt.Errorf("render configuration: %w", err)
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
	from.register(cmd)
	cmd.Flags().Var(&only, "only", "ask for what these roles need, as for run --only")
	return cmd
}
