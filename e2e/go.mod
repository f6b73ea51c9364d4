// The end-to-end range is a module of its own, so that nothing it needs reaches the bot's go.mod.
module github.com/synestra/promoter/e2e

go 1.26.0
