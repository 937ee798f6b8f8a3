// The steps of a story (see package story) with the AWS SDK for Java v2:
// Story.java FILE. What it uses is installed in .tools by the project's script.

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.protocol.MarshallingType;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.core.util.SdkAutoConstructList;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.proton.ProtonClient;
import software.amazon.awssdk.services.proton.model.ProtonException;
import software.amazon.awssdk.services.proton.waiters.ProtonWaiter;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.utils.builder.Buildable;

public class Story {
  private static final String MODEL = "software.amazon.awssdk.services.proton.model.";
  private static final Pattern VARIABLE = Pattern.compile("\\$\\{(\\w+)}");

  private final Map<String, Object> variables;
  private final Map<String, ProtonClient> clients = new HashMap<>();
  private final S3Client s3 = S3Client.builder().forcePathStyle(true).build();

  public static void main(String[] args) throws Exception {
    Map<String, Object> story = object(plain(JsonNode.parser().parse(Files.readString(Path.of(args[0])))));
    Story runner = new Story(object(story.get("keys")), object(story.get("variables")));
    for (Object step : (List<?>) story.get("steps")) {
      try {
        runner.perform(object(step));
      } catch (Exception | AssertionError e) {
        object(step).remove("content");
        System.err.println(step);
        e.printStackTrace();
        System.exit(1);
      }
    }
  }

  private Story(Map<String, Object> keys, Map<String, Object> variables) {
    this.variables = variables;
    keys.forEach((name, key) -> {
      AwsBasicCredentials credentials = AwsBasicCredentials.create((String) object(key).get("id"), (String) object(key).get("secret"));
      clients.put(name, ProtonClient.builder().credentialsProvider(StaticCredentialsProvider.create(credentials)).build());
    });
    s3.createBucket(r -> r.bucket(bucket()).createBucketConfiguration(c -> c.locationConstraint((String) variables.get("region"))));
  }

  private String bucket() {
    return (String) variables.get("bucket");
  }

  private void perform(Map<String, Object> step) throws Exception {
    Map<String, Object> in = object(fill(step.getOrDefault("in", Map.of())));
    if (step.get("put") instanceof String key) {
      s3.putObject(r -> r.bucket(bucket()).key(key), RequestBody.fromBytes(Base64.getDecoder().decode((String) step.get("content"))));
    } else if (step.get("wait") instanceof String waiter) {
      await(waiter, in, step.containsKey("fails"));
    } else if (step.get("pages") instanceof String operation) {
      pages(operation, in, step);
    } else {
      boolean repeat = step.containsKey("until");
      String operation = (String) step.get(repeat ? "until" : "call");
      long deadline = System.nanoTime() + Duration.ofSeconds(repeat ? 60 : 0).toNanos();
      for (String problem; (problem = attempt(operation, in, step)) != null; Thread.sleep(30)) {
        check(System.nanoTime() < deadline, problem);
      }
    }
  }

  /** Calls once and answers what is wrong with the outcome, or null. */
  private String attempt(String operation, Map<String, Object> in, Map<String, Object> step) throws Exception {
    Object refused = step.get("refused");
    SdkPojo out;
    try {
      out = (SdkPojo) invoke(clients.get(step.getOrDefault("as", "root")), lower(operation), request(operation, in));
    } catch (ProtonException e) {
      String code = e.awsErrorDetails().errorCode(), message = e.awsErrorDetails().errorMessage();
      if (!code.equals(refused)) {
        return code + ": " + message;
      }
      // A modelled exception has a class of its own.
      if (!e.getClass().getName().equals(MODEL + code) || e.statusCode() != 400) {
        return code + " as " + e.getClass().getName() + " with " + e.statusCode();
      }
      return step.containsKey("message") && !message.equals(fill(step.get("message"))) ? "refused with " + message : null;
    }
    if (refused != null) {
      return "it was not refused";
    }
    Object answer = plain(out);
    object(step.getOrDefault("save", Map.of())).forEach((name, path) -> variables.put(name, at(answer, (String) path)));
    return differs(fill(step.getOrDefault("want", Map.of())), answer, "answer");
  }

  private void await(String name, Map<String, Object> in, boolean fails) throws Exception {
    ProtonWaiter waiter = ProtonWaiter.builder().client(clients.get("root"))
        .overrideConfiguration(c -> c.backoffStrategyV2(BackoffStrategy.fixedDelay(Duration.ofMillis(100))).maxAttempts(600).waitTimeout(Duration.ofSeconds(60)))
        .build();
    Method wait = Arrays.stream(ProtonWaiter.class.getMethods())
        .filter(m -> m.getName().equals("waitUntil" + name) && m.getParameterCount() == 1 && SdkPojo.class.isAssignableFrom(m.getParameterTypes()[0]))
        .findFirst().orElseThrow();
    String operation = wait.getParameterTypes()[0].getSimpleName().replaceFirst("Request$", "");
    String problem = null;
    try {
      invoke(waiter, wait.getName(), request(operation, in));
    } catch (SdkClientException e) {
      problem = e.getMessage();
    }
    check(fails ? problem != null && problem.contains("transitioned the waiter to failure state") : problem == null,
        "the waiter " + (problem == null ? "did not fail" : "said " + problem));
  }

  private void pages(String operation, Map<String, Object> in, Map<String, Object> step) throws Exception {
    if (step.containsKey("size")) {
      in.put("maxResults", step.get("size"));
    }
    List<Object> got = new ArrayList<>();
    for (Object page : (Iterable<?>) invoke(clients.get("root"), lower(operation) + "Paginator", request(operation, in))) {
      for (Object item : (List<?>) object(plain(page)).get(step.get("key"))) {
        got.add(object(item).get(step.get("name")));
      }
    }
    String problem = differs(step.get("want"), got, "names");
    check(problem == null, problem);
  }

  /** Puts variables in all texts. */
  private Object fill(Object value) {
    if (value instanceof String text) {
      return VARIABLE.matcher(text).replaceAll(m -> Matcher.quoteReplacement((String) variables.get(m.group(1))));
    }
    if (value instanceof List<?> list) {
      return list.stream().map(this::fill).toList();
    }
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> filled = new LinkedHashMap<>();
      map.forEach((key, member) -> filled.put((String) key, fill(member)));
      return filled;
    }
    return value;
  }

  /** Answers what of want is not in got, or null. */
  private static String differs(Object want, Object got, String path) {
    if (want instanceof Map<?, ?> members && got instanceof Map<?, ?> map) {
      return members.keySet().stream().map(key -> differs(members.get(key), map.get(key), path + "." + key))
          .filter(Objects::nonNull).findFirst().orElse(null);
    }
    if (want instanceof List<?> wanted && got instanceof List<?> list && wanted.size() == list.size()) {
      for (int n = 0; n < list.size(); n++) {
        String problem = differs(wanted.get(n), list.get(n), path + "[" + n + "]");
        if (problem != null) {
          return problem;
        }
      }
      return null;
    }
    return Objects.equals(want, got) ? null : path + " is " + got + ", want " + want;
  }

  private static Object at(Object value, String path) {
    for (String part : path.split("\\.")) {
      value = value instanceof List<?> list ? list.get(Integer.parseInt(part)) : object(value).get(part);
    }
    return Objects.requireNonNull(value, path);
  }

  /** Makes an operation's request with the SDK's builders. */
  private static Object request(String operation, Map<String, Object> in) throws Exception {
    return build((SdkPojo) Class.forName(MODEL + operation + "Request").getMethod("builder").invoke(null), in);
  }

  private static Object build(SdkPojo builder, Map<String, Object> in) {
    in.forEach((name, value) -> {
      SdkField<?> field = builder.sdkFields().stream().filter(f -> f.locationName().equals(name)).findFirst()
          .orElseThrow(() -> new IllegalArgumentException("the SDK has no member " + name));
      field.set(builder, typed(field, value));
    });
    return ((Buildable) builder).build();
  }

  /** Makes what a field holds of what JSON says. */
  private static Object typed(SdkField<?> field, Object value) {
    if (field.marshallingType() == MarshallingType.SDK_POJO) {
      return build(field.constructor().get(), object(value));
    }
    if (field.marshallingType() == MarshallingType.LIST) {
      SdkField<?> element = field.getTrait(ListTrait.class).memberFieldInfo();
      return ((List<?>) value).stream().map(v -> typed(element, v)).toList();
    }
    return value instanceof BigDecimal number ? number.intValueExact() : value; // the only numbers of this API
  }

  /** Makes maps, lists, texts and numbers of what the SDK answers, without members that are not set. */
  private static Object plain(Object value) {
    if (value instanceof SdkPojo pojo) {
      Map<String, Object> members = new LinkedHashMap<>();
      for (SdkField<?> field : pojo.sdkFields()) {
        Object member = field.getValueOrDefault(pojo);
        if (member != null && !(member instanceof SdkAutoConstructList)) {
          members.put(field.locationName(), plain(member));
        }
      }
      return members;
    }
    if (value instanceof List<?> list) {
      return list.stream().map(Story::plain).toList();
    }
    return value instanceof Integer number ? BigDecimal.valueOf(number) : value;
  }

  private static Object plain(JsonNode node) {
    if (node.isObject()) {
      Map<String, Object> members = new LinkedHashMap<>();
      node.asObject().forEach((name, member) -> members.put(name, plain(member)));
      return members;
    }
    if (node.isArray()) {
      return node.asArray().stream().map(Story::plain).toList();
    }
    if (node.isNumber()) {
      return new BigDecimal(node.asNumber());
    }
    return node.isNull() ? null : node.isBoolean() ? (Object) node.asBoolean() : node.asString();
  }

  /** Calls a method of the SDK by its name, as its callers do by typing it. */
  private static Object invoke(Object target, String name, Object argument) throws Exception {
    Class<?> type = target instanceof ProtonClient ? ProtonClient.class : ProtonWaiter.class;
    try {
      return type.getMethod(name, argument.getClass()).invoke(target, argument);
    } catch (InvocationTargetException e) {
      throw e.getCause() instanceof Exception cause ? cause : e;
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  private static String lower(String name) {
    return name.substring(0, 1).toLowerCase() + name.substring(1);
  }

  private static void check(boolean holds, String problem) {
    if (!holds) {
      throw new AssertionError(problem);
    }
  }
}
