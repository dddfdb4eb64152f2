package app

import "time"

// snapshotShare is the part of one core that a snapshot may take while requests go on.
const snapshotShare = .25

// snapshotDir is where snapshots are kept; empty when there are to be none.
func (a *App) snapshotDir() string {
	if !a.opts.Serve || a.project.Config.SnapshotEvery == 0 {
		return ""
	}
	return a.data("snapshots")
}

// keepState bounds what the state takes and how long the next start will: idle entities are put to rest, snapshots written.
func (a *App) keepState() {
	if a.snapshotDir() == "" {
		return
	}
	a.wg.Go(func() {
		ticker := time.NewTicker(a.project.Config.SnapshotEvery)
		defer ticker.Stop()
		for {
			select {
			case <-a.ctx.Done():
				return
			case <-ticker.C:
			}
			s, err := a.scorer()
			if err != nil {
				continue
			}
			s.Evict()
			if _, err := s.Snapshot(a.ctx, snapshotShare); err != nil && a.ctx.Err() == nil {
				a.opts.Logger.Error("no snapshot could be written; a start now reads more of the log", "error", err)
			}
		}
	})
}
