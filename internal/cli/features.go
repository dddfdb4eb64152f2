package cli

type featuresCommand struct {
	List     featuresListCommand     `cmd:"" help:"List an event type's features in a sentence each."`
	Describe featuresDescribeCommand `cmd:"" help:"Say in words and as a formula what a feature means."`
	Replay   featuresReplayCommand   `cmd:"" help:"Compute the features of history in files; Parquet out."`
	Explain  featuresExplainCommand  `cmd:"" help:"List the very events behind a feature's value at an event."`
	Pipe     featuresPipeCommand     `cmd:"" help:"Compute the features of ordered rows on standard input, for cluster engines."`
	Verify   featuresVerifyCommand   `cmd:"" help:"Compute logged vectors again from the log alone and compare every bit."`
}
