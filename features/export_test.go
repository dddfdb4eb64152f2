package features

// Small makes chunks and groups of few rows, so that short histories have many.
func (o EngineOptions) Small(chunkRows, groupChunks int) EngineOptions {
	o.chunkRows, o.groupChunks = chunkRows, groupChunks
	return o
}
