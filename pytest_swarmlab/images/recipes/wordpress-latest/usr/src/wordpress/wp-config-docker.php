<?php
/*
 * WordPress as its container's environment wants it. Each variable named here can also be given
 * as NAME_FILE, the path of a file that holds the value.
 */

if (!function_exists('getenv_docker')) {
    // The name is the official image's: settings in WORDPRESS_CONFIG_EXTRA may call it.
    function getenv_docker(string $name, string $default): string
    {
        $file = getenv($name . '_FILE');
        if ($file !== false && $file !== '') {
            $content = @file_get_contents($file);
            if ($content === false) {
                throw new RuntimeException("{$name}_FILE names $file, which can't be read");
            }
            return rtrim($content, "\r\n");
        }
        $value = getenv($name);
        return $value === false ? $default : $value;
    }
}

define('DB_NAME', getenv_docker('WORDPRESS_DB_NAME', 'wordpress'));
define('DB_USER', getenv_docker('WORDPRESS_DB_USER', 'example username'));
define('DB_PASSWORD', getenv_docker('WORDPRESS_DB_PASSWORD', 'example password'));
define('DB_HOST', getenv_docker('WORDPRESS_DB_HOST', 'mysql'));
define('DB_CHARSET', getenv_docker('WORDPRESS_DB_CHARSET', 'utf8mb4'));
define('DB_COLLATE', getenv_docker('WORDPRESS_DB_COLLATE', ''));
$table_prefix = getenv_docker('WORDPRESS_TABLE_PREFIX', 'wp_');

// The second word was made up when this file was written: another container has others, and
// doesn't know the cookies of this one.
define('AUTH_KEY', getenv_docker('WORDPRESS_AUTH_KEY', '@random@'));
define('SECURE_AUTH_KEY', getenv_docker('WORDPRESS_SECURE_AUTH_KEY', '@random@'));
define('LOGGED_IN_KEY', getenv_docker('WORDPRESS_LOGGED_IN_KEY', '@random@'));
define('NONCE_KEY', getenv_docker('WORDPRESS_NONCE_KEY', '@random@'));
define('AUTH_SALT', getenv_docker('WORDPRESS_AUTH_SALT', '@random@'));
define('SECURE_AUTH_SALT', getenv_docker('WORDPRESS_SECURE_AUTH_SALT', '@random@'));
define('LOGGED_IN_SALT', getenv_docker('WORDPRESS_LOGGED_IN_SALT', '@random@'));
define('NONCE_SALT', getenv_docker('WORDPRESS_NONCE_SALT', '@random@'));

define('WP_DEBUG', (bool) getenv_docker('WORDPRESS_DEBUG', ''));

// Behind a proxy that ends TLS.
if (str_contains($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '', 'https')) {
    $_SERVER['HTTPS'] = 'on';
}

eval(getenv_docker('WORDPRESS_CONFIG_EXTRA', ''));

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
