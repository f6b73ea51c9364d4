// The end-to-end range is a module of its own, so that nothing it needs reaches the bot's go.mod.
module github.com/synestra/promoter/e2e

go 1.26.0

// The stand-ins that the bot's own tests use.
require github.com/synestra/promoter v0.0.0

require github.com/gorilla/websocket v1.5.3 // indirect

replace github.com/synestra/promoter => ../
