-- What callout.json has callout-enrichment do, as a script of Envoy's Lua filter.
function envoy_on_request(handle)
  handle:headers():remove("x-user-id")
  local answer = handle:httpCall("metadata", {
    [":method"] = "GET", [":path"] = "/user", [":authority"] = "metadata.local",
  }, "", 1000)
  if answer and answer[":status"] == "200" and answer["x-user-id"] then
    -- What was had before the call is gone.
    handle:headers():replace("x-user-id", answer["x-user-id"])
  end
end
