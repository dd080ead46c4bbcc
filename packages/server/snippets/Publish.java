// Usage: TIDINGS_URL=http://127.0.0.1:3333 TIDINGS_TOKEN=… java Publish.java TOPIC TEXT
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.UUID;

public class Publish {
  /** Publishes one event, as a form: no library for JSON is needed. */
  static HttpResponse<String> publish(HttpClient client, String topic, String data) throws Exception {
    String form = "topics=" + encode(topic) + "&data=" + encode(data);
    HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("TIDINGS_URL") + "/v1/publish"))
        .timeout(Duration.ofSeconds(10))
        .header("Authorization", "Bearer " + System.getenv("TIDINGS_TOKEN"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Idempotency-Key", UUID.randomUUID().toString())
        .POST(HttpRequest.BodyPublishers.ofString(form))
        .build();
    return client.send(request, HttpResponse.BodyHandlers.ofString());
  }

  static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  public static void main(String[] args) throws Exception {
    HttpResponse<String> response = publish(HttpClient.newHttpClient(), args[0], args[1]);
    System.out.println(response.body());
    if (response.statusCode() != 200) System.exit(1);
  }
}
