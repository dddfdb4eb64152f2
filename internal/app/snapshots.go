package app

// snapshotShare is the part of one core that a snapshot may take while requests go on.
const snapshotShare = .1

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
	a.every(a.project.Config.SnapshotEvery, a.keepStateOf)
}

func (a *App) keepStateOf(c *core) {
	c.scorer.Evict()
	if _, err := c.scorer.Snapshot(c.ctx, snapshotShare); err != nil {
		if c.ctx.Err() == nil {
			a.opts.Logger.Error("no snapshot could be written; a start now reads more of the log", "error", err)
		}
		return
	}
	a.retain(c)
}

// retain drops from the log what is older than it is to be kept, when the warehouse has it.
func (a *App) retain(c *core) {
	keep := a.project.Config.Log.Retain
	if keep == 0 || c.loader == nil {
		return
	}
	dropped, err := c.scorer.Drop(min(c.scorer.Expired(keep), c.loader.Position()+1))
	if err != nil {
		a.opts.Logger.Error("old segments of the event log could not be dropped", "error", err)
	}
	if dropped > 0 {
		a.opts.Logger.Info("dropped old segments of the event log, which the warehouse has", "segments", dropped)
	}
}
