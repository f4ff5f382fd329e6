package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"penstock/internal/config"
	"penstock/internal/fault"
)

// choice is a flag with one of a few values.
type choice struct {
	value   string
	allowed []string
}

// String is the value chosen.
func (c *choice) String() string { return c.value }

// Type is what help shows for the value.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set takes one of the allowed values.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return allowedError(c.allowed)
	}
	c.value = value
	return nil
}

// choices is a flag with some of a few values, comma-separated or repeated.
type choices struct {
	values  []string
	allowed []string
}

// String is the values chosen.
func (c *choices) String() string { return strings.Join(c.values, ",") }

// Type is what help shows for the value.
func (c *choices) Type() string { return strings.Join(c.allowed, ",") }

// Set adds some of the allowed values.
func (c *choices) Set(text string) error {
	for value := range strings.SplitSeq(text, ",") {
		if !slices.Contains(c.allowed, value) {
			return allowedError(c.allowed)
		}
		c.values = append(c.values, value)
	}
	return nil
}

// allowedError lists what a flag may be.
type allowedError []string

// Error names the values that would do.
func (e allowedError) Error() string { return "allowed: " + strings.Join(e, ", ") }

// flagFault words what pflag found wrong with a command line.
func flagFault(cmd *cobra.Command, err error) error {
	f := &fault.Error{Kind: fault.Usage, What: err.Error(), Fix: cmd.CommandPath() + " --help lists the flags"}
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		f.What = fmt.Sprintf("unknown flag %s for %q", dashed(name), cmd.CommandPath())
		if near := nearestFlag(cmd, name); near != "" {
			f.Fix = "did you mean --" + near + "?"
		}
	}
	if invalid := (*pflag.InvalidValueError)(nil); errors.As(err, &invalid) {
		f.What = fmt.Sprintf("bad value %q for flag --%s", invalid.GetValue(), invalid.GetFlag().Name)
		f.Why = errors.Unwrap(invalid).Error()
		if allowed := allowedError(nil); errors.As(err, &allowed) {
			f.Why, f.Fix = "", "use "+strings.Join(allowed, ", ")
		}
	}
	return f
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// nearestFlag returns the flag that name was probably meant to be, or "".
func nearestFlag(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return config.Nearest(name, names)
}

// exactArgs asks for one argument per name.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return &fault.Error{
				Kind: fault.Usage, What: fmt.Sprintf("%q needs %s", cmd.CommandPath(), strings.Join(names[len(args):], " and ")),
				Fix: cmd.UseLine(),
			}
		case len(args) > len(names):
			return &fault.Error{
				Kind: fault.Usage, What: fmt.Sprintf("%q does not take %q", cmd.CommandPath(), args[len(names)]),
				Fix: cmd.UseLine(),
			}
		}
		return nil
	}
}
