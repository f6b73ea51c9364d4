package card

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/synestra/promoter/internal/release"
)

// maxRows are what Slack takes of one table, the heading included.
const maxRows = 100

// table draws as many rows as there is room for, and says how many are left.
// Its cells are raw text, in which Slack parses nothing.
func table(t release.Table, room int) (block *slack.TableBlock, left int) {
	block = slack.NewTableBlock("")
	for i, row := range append([][]string{t.Head}, t.Rows...) {
		cells, size := make([]slack.TableCell, len(row)), 0
		for n, text := range row {
			if text = clip(release.Plain(text), maxCell); text == "" {
				text = "–"
			}
			cells[n], size = slack.NewTableRawTextCell(text), size+length(text)
		}
		if i == maxRows || size > room {
			return block, len(t.Rows) + 1 - i
		}
		room -= size
		block.Rows = append(block.Rows, cells)
	}
	return block, 0
}

// maxCell keeps one odd cell from taking the room of many rows.
const maxCell = 140

// tableText is a table for screen readers, and for where Slack draws none.
func tableText(t release.Table) string {
	var lines []string
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, text := range row {
			cells[i] = foreign(text)
		}
		lines = append(lines, joined(" · ", cells...))
	}
	return strings.Join(lines, "\n")
}

func sizeOf(b *slack.TableBlock) (size int) {
	for _, row := range b.Rows {
		for _, cell := range row {
			if raw, ok := cell.(*slack.TableRawTextCell); ok {
				size += length(raw.Text)
			}
		}
	}
	return size
}
