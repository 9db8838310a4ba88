-- The same list in Lua: a table, looked up for the host and for each domain that it is in.
local listed = { ["ads-0.example.net"] = true }

function envoy_on_request(handle)
  local host = handle:headers():get(":authority"):lower():gsub(":%d*$", ""):gsub("%.$", "")
  local name = host
  while name do
    if listed[name] then
      handle:respond({ [":status"] = "451", ["content-type"] = "text/plain", ["cache-control"] = "no-store" }, "blocked by wasm\n")
      return
    end
    name = name:match("^[^.]*%.(.*)$")
  end
end
