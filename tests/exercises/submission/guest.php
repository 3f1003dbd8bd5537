// A guest on a WordPress that is there: `look`, `invite LOGIN`, `dismiss LOGIN`, `uninstall LOGIN`.
// Its last line is JSON. systemd would replace a percent sign, and a dollar sign before a brace; each
// shell on the way makes three of a single quote.
$asked = $argv[1];
$login = $argv[2] ?? "";
$_SERVER += ["HTTP_HOST" => "localhost", "REQUEST_METHOD" => "GET"];
if ($asked === "look" || $asked === "uninstall") {
    // Otherwise a WordPress without tables ends here, with a redirect to its installation.
    define("WP_INSTALLING", true);
}
require "/var/www/html/wp-load.php";
require_once ABSPATH . "wp-admin/includes/user.php";
$wpdb->suppress_errors();

function swarmlab_told($what)
{
    echo "\n", json_encode($what), "\n";
    exit;
}

function swarmlab_tables()
{
    global $wpdb;
    $prefix = esc_sql($wpdb->prefix);
    return $wpdb->get_col("SELECT table_name FROM information_schema.tables"
        . " WHERE table_schema = DATABASE() AND LEFT(table_name, LENGTH('$prefix')) = '$prefix'");
}

function swarmlab_dismiss($id)
{
    global $wpdb;
    $id = (int) $id;
    foreach ($wpdb->get_col("SELECT comment_ID FROM $wpdb->comments WHERE user_id = $id") as $each) {
        wp_delete_comment($each, true);
    }
    $written = "SELECT ID, post_type FROM $wpdb->posts WHERE post_author = $id ORDER BY ID";
    foreach ($wpdb->get_results($written) as $each) {
        $each->post_type === "attachment"
            ? wp_delete_attachment($each->ID, true)
            : wp_delete_post($each->ID, true);
    }
    wp_delete_user($id);
    // The directory of the month, where the picture was the first.
    $uploads = wp_get_upload_dir();
    for ($place = $uploads["path"]; $place !== dirname($place); $place = dirname($place)) {
        if (strpos($place, $uploads["basedir"] . "/") !== 0 || !@rmdir($place)) {
            break;
        }
    }
    $count = "SELECT COUNT(*) FROM";
    return (int) $wpdb->get_var("$count $wpdb->users WHERE ID = $id")
        + (int) $wpdb->get_var("$count $wpdb->posts WHERE post_author = $id")
        + (int) $wpdb->get_var("$count $wpdb->comments WHERE user_id = $id");
}

if ($asked === "look") {
    $installed = is_blog_installed();
    swarmlab_told([
        "installed" => $installed,
        "several" => is_multisite(),
        "home" => $installed ? get_option("home") : "",
        "tables" => count(swarmlab_tables()),
    ]);
}
if ($asked === "invite") {
    $made = wp_insert_user([
        "user_login" => $login,
        "user_pass" => trim(fgets(STDIN)),
        "user_email" => "$login@example.org",
        "role" => "editor",
    ]);
    swarmlab_told(is_wp_error($made) ? ["error" => $made->get_error_message()] : ["user" => $made]);
}
if ($asked === "dismiss") {
    $user = get_user_by("login", $login);
    swarmlab_told(["left" => $user ? swarmlab_dismiss($user->ID) : 0]);
}
if ($asked === "uninstall") {
    $there = $wpdb->get_results("SELECT ID, user_login FROM $wpdb->users");
    foreach ($there ?: [] as $each) {
        if ($each->user_login !== $login) {
            swarmlab_told(["left" => count(swarmlab_tables()), "error" => "somebody else has a user there by now"]);
        }
        swarmlab_dismiss($each->ID);
    }
    foreach ($wpdb->tables("all") as $table) {
        $wpdb->query("DROP TABLE IF EXISTS `$table`");
    }
    @rmdir(wp_get_upload_dir()["basedir"]);
    swarmlab_told(["left" => count(swarmlab_tables())]);
}
