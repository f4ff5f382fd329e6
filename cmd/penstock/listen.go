package main

import (
	"context"
	"maps"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"penstock/internal/admin"
	"penstock/internal/config"
	"penstock/sink"
)

// observe returns what is said of a daemon, of which nothing runs yet.
func observe(cfg *config.Config, roles []config.Role) *admin.Daemon {
	var pipelines []admin.Pipeline
	if slices.Contains(roles, config.RoleSink) {
		for _, name := range slices.Sorted(maps.Keys(cfg.Pipelines)) {
			pipelines = append(pipelines, admin.Pipeline{
				Name: name, Topic: cfg.Pipelines[name].Topic,
				Progress: func(ctx context.Context) ([]sink.PartitionProgress, error) {
					return sink.ReadProgress(ctx, progressConfig(cfg, name))
				},
			})
		}
	}
	build := readBuildInfo()
	return admin.NewDaemon(admin.Build{Version: build.Version, Commit: build.Commit, Go: build.Go}, pipelines)
}

// listen serves what is said of the daemon, if the configuration names an address, until ctx ends.
func (d *daemon) listen(ctx context.Context, parts *errgroup.Group) error {
	if d.cfg.Admin.Listen == "" {
		return nil
	}
	server, err := admin.Listen(ctx, d.cfg.Admin.Listen, d.observed)
	if err != nil {
		return err
	}
	d.log.Info("admin listens", zap.String("address", server.Address()))
	parts.Go(func() error { return server.Run(ctx) })
	parts.Go(func() error {
		d.observed.Run(ctx)
		return nil
	})
	return nil
}
