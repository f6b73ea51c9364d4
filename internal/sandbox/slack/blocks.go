package slack

// The limits and required properties of Block Kit, from the doc comments of
// @slack/types 3.2.0 and https://docs.slack.dev/reference/block-kit. Where
// sources differ, the smaller number; kinds that not every workspace surely
// accepts in messages (plan, task_card, card, alert …) are refused.

// onMessage is what chat methods and response URLs take.
func onMessage() surface { return surface{blocks: 50, kinds: messageBlocks()} }

// onView is what modals and the Home tab take.
func onView() surface {
	kinds := messageBlocks()
	kinds["input"] = block(map[string]field{
		"label": must(text(2000, "plain_text")), "element": must(inputElement()), "hint": may(text(2000, "plain_text")),
		"optional": may(boolean), "dispatch_action": may(boolean),
	})
	return surface{blocks: 100, kinds: kinds}
}

// block is an object that may have a block_id.
func block(fields map[string]field) rule {
	fields["block_id"] = may(unique(func(c *check) map[string]bool { return c.blockIDs }, "block_id"))
	return object(fields)
}

// element is an object that may have an action_id.
func element(fields map[string]field) rule {
	fields["action_id"] = may(unique(func(c *check) map[string]bool { return c.actionIDs }, "action_id"))
	return object(fields)
}

func messageBlocks() map[string]rule {
	actions := interactiveElements()
	accessory := interactiveElements()
	accessory["image"] = imageElement()
	context := textKinds(3000, "plain_text", "mrkdwn")
	context["image"] = imageElement()
	section := block(map[string]field{
		"text":      may(text(3000, "plain_text", "mrkdwn")),
		"fields":    may(items(1, 10, text(2000, "plain_text", "mrkdwn"))),
		"accessory": may(kind(accessory)),
		"expand":    may(boolean),
	})
	return map[string]rule{
		"header":    block(map[string]field{"text": must(text(150, "plain_text")), "level": may(integer(1, 4))}),
		"section":   both(section, oneOf(false, "text", "fields")),
		"context":   block(map[string]field{"elements": must(items(1, 10, kind(context)))}),
		"actions":   block(map[string]field{"elements": must(items(1, 25, kind(actions)))}),
		"divider":   block(map[string]field{}),
		"rich_text": block(map[string]field{"elements": must(items(1, 1000, kind(richText())))}),
		"table":     table(),
		"image": block(map[string]field{
			"image_url": must(address(3000)), "alt_text": must(chars(2000)), "title": may(text(2000, "plain_text")),
		}),
		"markdown": block(map[string]field{"text": must(shownChars(12_000))}),
	}
}

// text is a text object of one of the kinds, of 1 to high characters.
func text(high int, kinds ...string) rule { return kind(textKinds(high, kinds...)) }

func textKinds(high int, kinds ...string) map[string]rule {
	all := map[string]rule{
		"plain_text": object(map[string]field{"text": must(shownChars(high)), "emoji": may(boolean)}),
		"mrkdwn":     object(map[string]field{"text": must(shownChars(high)), "verbatim": may(boolean)}),
	}
	rules := map[string]rule{}
	for _, k := range kinds {
		rules[k] = all[k]
	}
	return rules
}

func interactiveElements() map[string]rule {
	placeholder := may(text(150, "plain_text"))
	groups := items(1, 100, object(map[string]field{
		"label": must(text(75, "plain_text")), "options": must(items(1, 100, option())),
	}))
	static := element(map[string]field{
		"placeholder": placeholder, "options": may(items(1, 100, option())), "option_groups": may(groups),
		"initial_option": may(option()), "confirm": may(confirm()), "focus_on_load": may(boolean),
	})
	return map[string]rule{
		"button": element(map[string]field{
			"text": must(text(75, "plain_text")), "value": may(chars(2000)), "url": may(address(3000)),
			"style": may(choice("primary", "danger")), "confirm": may(confirm()), "accessibility_label": may(chars(75)),
		}),
		"overflow":      element(map[string]field{"options": must(items(1, 5, option())), "confirm": may(confirm())}),
		"static_select": both(static, oneOf(true, "options", "option_groups")),
		"external_select": element(map[string]field{
			"placeholder": placeholder, "min_query_length": may(integer(0, 1000)),
			"initial_option": may(option()), "confirm": may(confirm()), "focus_on_load": may(boolean),
		}),
		"users_select": element(map[string]field{
			"placeholder": placeholder, "initial_user": may(chars(255)), "confirm": may(confirm()), "focus_on_load": may(boolean),
		}),
	}
}

// inputElement is what an input block asks with.
func inputElement() rule {
	kinds := interactiveElements()
	delete(kinds, "button")
	delete(kinds, "overflow")
	kinds["plain_text_input"] = element(map[string]field{
		"placeholder": may(text(150, "plain_text")), "initial_value": may(chars(3000)), "multiline": may(boolean),
		"min_length": may(integer(0, 3000)), "max_length": may(integer(1, 3000)), "focus_on_load": may(boolean),
	})
	return kind(kinds)
}

func option() rule {
	return object(map[string]field{
		"text": must(text(75, "plain_text", "mrkdwn")), "value": must(chars(75)),
		"description": may(text(75, "plain_text", "mrkdwn")), "url": may(address(3000)),
	})
}

func confirm() rule {
	return object(map[string]field{
		"title": must(text(100, "plain_text")), "text": must(text(300, "plain_text", "mrkdwn")),
		"confirm": must(text(30, "plain_text")), "deny": must(text(30, "plain_text")),
		"style": may(choice("primary", "danger")),
	})
}

func imageElement() rule {
	return object(map[string]field{"image_url": must(address(3000)), "alt_text": must(chars(2000))})
}

// table is a table of 100 rows of 20 cells. Cells of raw_number are refused:
// some workspaces did.
func table() rule {
	cell := kind(map[string]rule{
		"raw_text":  object(map[string]field{"text": must(shownChars(3000))}),
		"rich_text": object(map[string]field{"elements": must(items(1, 1000, kind(richText())))}),
	})
	column := object(map[string]field{"align": may(choice("left", "center", "right")), "is_wrapped": may(boolean)})
	is := block(map[string]field{
		"rows":            must(items(1, 100, items(1, 20, cell))),
		"column_settings": may(items(0, 20, column)),
	})
	return both(is, func(c *check, _ string, _ any) { c.tables++ })
}

// richText is the elements of a rich_text block.
func richText() map[string]rule {
	inline := items(0, 1000, kind(richTextInline()))
	border := may(integer(0, 1))
	section := object(map[string]field{"elements": must(inline)})
	return map[string]rule{
		"rich_text_section":      section,
		"rich_text_quote":        object(map[string]field{"elements": must(inline), "border": border}),
		"rich_text_preformatted": object(map[string]field{"elements": must(inline), "border": border, "language": may(chars(100))}),
		"rich_text_list": object(map[string]field{
			"elements": must(items(1, 1000, kind(map[string]rule{"rich_text_section": section}))),
			"style":    must(choice("bullet", "ordered")),
			"indent":   may(integer(0, 8)), "offset": may(integer(0, 1e6)), "border": border,
		}),
	}
}

func richTextInline() map[string]rule {
	flags := map[string]field{}
	for _, name := range []string{"bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"} {
		flags[name] = may(boolean)
	}
	style := may(object(flags))
	id := must(chars(255))
	return map[string]rule{
		"text": object(map[string]field{"text": must(shownChars(10_000)), "style": style}),
		"link": object(map[string]field{
			"url": must(address(3000)), "text": may(shownChars(3000)), "unsafe": may(boolean), "style": style,
		}),
		"emoji": object(map[string]field{
			"name": must(chars(100)), "unicode": may(chars(100)), "skin_tone": may(integer(1, 6)), "style": style,
		}),
		"user":      object(map[string]field{"user_id": id, "style": style}),
		"usergroup": object(map[string]field{"usergroup_id": id, "style": style}),
		"channel":   object(map[string]field{"channel_id": id, "style": style}),
		"broadcast": object(map[string]field{"range": must(choice("here", "channel", "everyone")), "style": style}),
		"date": object(map[string]field{
			"timestamp": must(integer(0, 1<<53)), "format": must(chars(255)), "url": may(address(3000)),
			"fallback": may(chars(255)), "style": style,
		}),
		"color": object(map[string]field{"value": must(chars(10))}),
	}
}
