// The end-to-end range is a module of its own, so that nothing it needs reaches the bot's go.mod.
module github.com/synestra/promoter/e2e

go 1.26.0

// The stand-ins that the bot's own tests use.
require github.com/synestra/promoter v0.0.0

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
)

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
)

replace github.com/synestra/promoter => ../
