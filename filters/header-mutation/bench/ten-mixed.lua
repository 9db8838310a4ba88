-- What ten-mixed.json has header-mutation do, as a script of Envoy's Lua filter. A header is removed only if it is there,
-- as there: each change to a request has its route chosen anew.
function envoy_on_request(handle)
  local headers = handle:headers()
  headers:replace("x-training", "envoy-wasm")
  headers:replace("x-route", headers:get(":method") .. " " .. headers:get(":authority") .. headers:get(":path"))
  headers:replace("x-user", "anonymous")
  local count = headers:getNumValues("x-old")
  if count > 0 then
    local values = {}
    for index = 0, count - 1 do
      values[index + 1] = headers:getAtIndex("x-old", index)
    end
    headers:remove("x-old")
    headers:remove("x-new")
    for _, value in ipairs(values) do
      headers:add("x-new", value)
    end
  end
  if headers:get("x-debug-trace") ~= nil then
    headers:remove("x-debug-trace")
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  headers:replace("x-training", "envoy-wasm")
  if headers:get("cache-control") == nil then
    headers:add("cache-control", "no-store")
  end
  headers:add("vary", "origin")
  if headers:get("x-powered-by") ~= nil then
    headers:remove("x-powered-by")
  end
  if headers:get("x-frame-options") == nil then
    headers:add("x-frame-options", "DENY")
  end
end
