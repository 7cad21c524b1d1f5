<?php
// An adapter for EventSourceHttpClient of symfony/http-client, as Debian packages it: `php adapter.php` speaks the protocol of ADAPTER.md.
//
// The client below it answers with the chunks of the body, one by one.

require '/usr/share/php/Symfony/Component/HttpClient/autoload.php';

use Symfony\Component\HttpClient\Chunk\DataChunk;
use Symfony\Component\HttpClient\Chunk\FirstChunk;
use Symfony\Component\HttpClient\Chunk\LastChunk;
use Symfony\Component\HttpClient\Chunk\ServerSentEvent;
use Symfony\Component\HttpClient\EventSourceHttpClient;
use Symfony\Component\HttpClient\Response\MockResponse;
use Symfony\Component\HttpClient\Response\ResponseStream;
use Symfony\Contracts\HttpClient\HttpClientInterface;
use Symfony\Contracts\HttpClient\ResponseInterface;
use Symfony\Contracts\HttpClient\ResponseStreamInterface;

final class Body implements HttpClientInterface
{
    public array $answer = [];

    public function __construct(private array $chunks)
    {
    }

    public function request(string $method, string $url, array $options = []): ResponseInterface
    {
        $headers = ['response_headers' => ['content-type' => 'text/event-stream']];

        return MockResponse::fromRequest($method, $url, $options + ['buffer' => false], new MockResponse('', $headers));
    }

    public function stream($responses, float $timeout = null): ResponseStreamInterface
    {
        return new ResponseStream((function () use ($responses) {
            foreach ($responses as $response) {
                yield $response => new FirstChunk();
                foreach ($this->chunks as $chunk) {
                    $this->answer[] = [];
                    yield $response => new DataChunk(0, base64_decode($chunk));
                }
                yield $response => new LastChunk();
            }
        })());
    }

    public function withOptions(array $options): static
    {
        return $this;
    }
}

function decode(array $request): array
{
    $body = new Body($request['chunks']);
    $client = new EventSourceHttpClient($body);
    $lastEventId = '';
    $response = $client->connect('http://localhost/');
    foreach ($client->stream($response) as $chunk) {
        if ($chunk instanceof ServerSentEvent) {
            // As the client remembers it for a reconnect.
            $lastEventId = '' === $chunk->getId() ? $lastEventId : $chunk->getId();
            $body->answer[array_key_last($body->answer)][] = [
                'event' => $chunk->getType() ?: 'message',
                'data' => $chunk->getData(),
                'lastEventId' => $lastEventId,
            ];
        }
    }

    return ['chunks' => $body->answer];
}

function answer(array $request): array
{
    if ('capabilities' === $request['kind']) {
        $package = shell_exec("dpkg-query --show --showformat '\${Version}' php-symfony-http-client");

        return [
            'name' => 'symfony/http-client',
            'version' => preg_replace('/[+-].*/', '', $package),
            'capabilities' => ['decode', 'chunks', 'large'],
        ];
    }
    if ('decode' === $request['kind']) {
        return decode($request);
    }

    return ['unsupported' => true];
}

ini_set('memory_limit', '1G');
ini_set('display_errors', 'stderr');
while (false !== $line = fgets(\STDIN)) {
    $request = json_decode($line, true);
    try {
        $reply = answer($request);
    } catch (Throwable $error) {
        // One that the client does not mean to throw is passed on by it with its message.
        $cause = $error->getPrevious() ?? $error;
        $reply = ['error' => $cause instanceof Error ? 'panicked' : $error->getMessage()];
    }
    // Its strings are bytes.
    echo json_encode(['case' => $request['case'], ...$reply], \JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
