<?php
// Usage: TIDINGS_URL=http://127.0.0.1:3333 TIDINGS_TOKEN=… php publish.php TOPIC TEXT

/** Publishes one event. Try again with the same key and it is published once. */
function publish(string $topic, mixed $data, ?string $key = null): array
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            'Authorization: Bearer ' . getenv('TIDINGS_TOKEN'),
            'Content-Type: application/json',
            'Idempotency-Key: ' . ($key ?? bin2hex(random_bytes(16))),
        ],
        'content' => json_encode(['topics' => $topic, 'data' => $data], JSON_THROW_ON_ERROR),
        'timeout' => 10,
        'ignore_errors' => true,
    ]]);
    $body = file_get_contents(getenv('TIDINGS_URL') . '/v1/publish', false, $context);
    if ($body === false) {
        throw new RuntimeException('The server can’t be reached.');
    }
    $answer = json_decode($body, true, flags: JSON_THROW_ON_ERROR);
    if (!isset($answer['cursor'])) {
        throw new RuntimeException("{$answer['detail']} ({$answer['code']})");
    }

    return $answer;
}

echo publish($argv[1], ['text' => $argv[2]])['cursor'], "\n";
