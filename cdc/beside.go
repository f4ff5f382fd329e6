package cdc

import "context"

// beside runs do, and the tasks beside it until it has ended. The first task that
// fails stops do, and its error is the result.
func beside(ctx context.Context, do func(context.Context) error, tasks ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(tasks)) // one each: none waits for its error to be taken
	for _, task := range tasks {
		go func() {
			err := task(ctx)
			if err != nil {
				stop()
			}
			ended <- err
		}()
	}
	err := do(ctx)
	stop()
	for range tasks {
		if taskErr := <-ended; err == nil {
			err = taskErr
		}
	}
	return err
}
