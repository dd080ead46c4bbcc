# Usage: TIDINGS_URL=http://127.0.0.1:3333 TIDINGS_TOKEN=… ruby publish.rb TOPIC TEXT
require 'json'
require 'net/http'
require 'securerandom'

# Publishes one event. Try again with the same key and it is published once.
def publish(topic, data, key: SecureRandom.uuid)
  response = Net::HTTP.post(
    URI("#{ENV.fetch('TIDINGS_URL')}/v1/publish"),
    JSON.generate(topics: topic, data: data),
    'Authorization' => "Bearer #{ENV.fetch('TIDINGS_TOKEN')}",
    'Content-Type' => 'application/json',
    'Idempotency-Key' => key
  )
  answer = JSON.parse(response.body)
  raise "#{answer['detail']} (#{answer['code']})" unless response.is_a?(Net::HTTPOK)

  answer
end

puts publish(ARGV[0], { text: ARGV[1] })['cursor']
